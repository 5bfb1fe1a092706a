"""The five local models, for real: their files are what they say, checked by the tools that people use."""
import base64
import io
import json
import os
import struct
import subprocess
import wave
import zlib

import pytest

from catalogue import AUDIO, IMAGE, VIDEO
from client import eventually


def identify(data, form):
    return subprocess.run(["identify", "-format", form, "-"], input=data, capture_output=True, check=True).stdout.decode()


def probe(path):
    run = subprocess.run(["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)],
                         capture_output=True, check=True)
    return json.loads(run.stdout)


def png(width, height, color=(200, 120, 40)):
    """A gradient, so that its maps are not flat."""
    rows = b"".join(b"\x00" + b"".join(bytes(((color[0] + 7 * x) % 256, (color[1] + 5 * y) % 256, color[2])) for x in range(width))
                    for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def data_uri(kind, data):
    return f"data:{kind};base64," + base64.b64encode(data).decode()


def wav_seconds(data):
    with wave.open(io.BytesIO(data)) as sound:
        assert sound.getnchannels() in (1, 2)
        return sound.getnframes() / sound.getframerate()


def speak(client, prompt, **more):
    task = client.completed(AUDIO, {"model": "local-speech", "prompt": prompt, **more})
    response = client.download(task["results"][0]["url"])
    assert response.headers["Content-Type"] == "audio/wav"
    return response.body


def test_speech(live):
    short = speak(live, "Good morning.")
    long = speak(live, "Good morning, and welcome to a much longer sentence about foxes and their ears.")
    assert 0.3 < wav_seconds(short) < wav_seconds(long) < 30
    with wave.open(io.BytesIO(short)) as sound:
        assert max(sound.readframes(sound.getnframes())) > 0  # not silence


def test_speech_settings(live):
    normal, fast = speak(live, "The quick brown fox jumps."), speak(live, "The quick brown fox jumps.", speed=2)
    assert wav_seconds(fast) < wav_seconds(normal)
    assert speak(live, "Der schnelle braune Fuchs.", voice="de") != speak(live, "Der schnelle braune Fuchs.")


@pytest.mark.parametrize("prompt", ["--help", "-f /etc/passwd", "$(id)", "`id`; rm -rf /", "<speak>x</speak>", "a\nb", "\u00e9\u65e5\U0001f98a"])
def test_speech_takes_words_as_words(live, prompt):
    assert live.run(AUDIO, {"model": "local-speech", "prompt": prompt})["status"] in ("completed", "failed")


def test_transcription(live):
    """What was spoken here is understood here, in part at least (a machine hears a machine), with the times of the words."""
    sound = speak(live, "this is a test of the speech system", speed=0.8)
    task = live.completed(AUDIO, {"model": "local-transcribe", "audio_url": data_uri("audio/wav", sound)}, 300)
    (result,) = task["results"]
    assert list(result) == ["text", "language_code", "language_probability", "words"]
    assert result["language_code"].startswith("en")
    words = result["words"]
    assert words and "".join(result["text"].split()) != ""
    end = 0
    for word in words:
        assert set(word) >= {"text", "start", "end", "type"}
        assert end - 0.05 <= word["start"] < word["end"] <= wav_seconds(sound) + 0.5
        end = word["end"]
    assert len({"is", "a", "test", "of", "the"} & set(result["text"].lower().split())) >= 2, result["text"]


def test_transcription_of_a_result_of_ours(live):
    speech = live.completed(AUDIO, {"model": "local-speech", "prompt": "one two three"})
    task = live.completed(AUDIO, {"model": "local-transcribe", "audio_url": speech["results"][0]["url"]}, 300)
    assert task["results"][0]["words"]


def test_transcription_of_what_is_no_sound(live):
    broken = data_uri("audio/wav", b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\xff" * 64)
    task = live.run(AUDIO, {"model": "local-transcribe", "audio_url": broken}, 300)
    assert task["status"] == "failed"
    assert task["usage"]["credits_charged"] == 0


@pytest.mark.parametrize("size, width, height", [
    ({"width": 100, "height": 64}, 100, 64), ("square", 512, 512), ("landscape_16_9", 1024, 576),
])
def test_image(live, size, width, height):
    task = live.completed(IMAGE, {"model": "local-image", "prompt": "blue marble", "image_size": size})
    (result,) = task["results"]
    assert list(result) == ["url", "content_type"]
    assert result["content_type"] == "image/png"
    data = live.download(result["url"]).body
    assert identify(data, "%m %w %h") == f"PNG {width} {height}"
    assert int(identify(data, "%k")) > 16  # colours


def test_image_follows_its_seed(live):
    def make(**more):
        task = live.completed(IMAGE, {"model": "local-image", "image_size": {"width": 64, "height": 64}, **more})
        return identify(live.download(task["results"][0]["url"]).body, "%#")
    assert make(prompt="x", seed=5) == make(prompt="x", seed=5)
    assert make(prompt="x", seed=5) != make(prompt="x", seed=6)
    assert make(prompt="x") == make(prompt="x")
    assert make(prompt="x") != make(prompt="y")


def test_pbr_maps(live):
    maps = ["basecolor", "normal", "roughness", "metalness", "height"]
    task = live.completed(IMAGE, {"model": "local-pbr-maps", "image_url": data_uri("image/png", png(96, 64)), "maps": maps})
    assert [result["map_type"] for result in task["results"]] == maps
    seen = set()
    for result in task["results"]:
        assert list(result) == ["url", "content_type", "result_type", "map_type"]
        assert (result["content_type"], result["result_type"]) == ("image/png", "pbr_map")
        data = live.download(result["url"]).body
        assert identify(data, "%m %w %h") == "PNG 96 64"
        seen.add(identify(data, "%#"))
    assert len(seen) == 5


def test_pbr_maps_in_the_order_asked(live):
    task = live.completed(IMAGE, {"model": "local-pbr-maps", "image_url": data_uri("image/png", png(64, 64)),
                                  "maps": ["height", "normal"]})
    assert [result["map_type"] for result in task["results"]] == ["height", "normal"]


def test_pbr_maps_of_a_broken_picture(live):
    broken = data_uri("image/png", png(64, 64)[:60])
    task = live.run(IMAGE, {"model": "local-pbr-maps", "image_url": broken, "maps": ["height"]})
    assert task["status"] == "failed"
    assert task["error"]["code"] in ("image_processing_error", "invalid_parameters", "generation_failed")
    assert task["usage"] == {**task["usage"], "credits_charged": 0, "credits_refunded": task["usage"]["credits_reserved"]}


def test_image_to_video(live, tmp_path):
    task = live.completed(VIDEO, {"model": "local-image-to-video", "image_url": data_uri("image/png", png(160, 120)),
                                  "duration": 1.5, "zoom": 1.3}, 300)
    response = live.download(task["results"][0]["url"])
    assert response.headers["Content-Type"] == "video/mp4"
    path = tmp_path / "video.mp4"
    path.write_bytes(response.body)
    facts = probe(path)
    (video,) = [stream for stream in facts["streams"] if stream["codec_type"] == "video"]
    assert video["codec_name"] == "h264"
    assert abs(float(facts["format"]["duration"]) - 1.5) < 0.3
    assert task["usage"]["credits_charged"] == 0.75


def test_progress_is_real(live):
    """A video's progress is seen between its beginning and its end; who looks away too long looks at another one."""
    picture = data_uri("image/png", png(640, 480))

    def watched():
        task = live.submit(VIDEO, {"model": "local-image-to-video", "image_url": picture, "duration": 6})
        seen = set()
        while task["status"] not in ("completed", "failed"):
            task = live.task(task["id"])
            seen.add(task["progress"])
        assert task["status"] == "completed"
        return len(seen) >= 3
    eventually(watched)


def test_nothing_is_left_behind(server, live):
    """Of a task's work directory and commands, a moment after its end."""
    good = live.completed(IMAGE, {"model": "local-image", "prompt": "x", "image_size": {"width": 64, "height": 64}})
    bad = live.run(IMAGE, {"model": "local-pbr-maps", "image_url": data_uri("image/png", b"\x89PNG\r\n\x1a\nxxxx"),
                           "maps": ["height"]})
    for task in (good, bad):
        eventually(lambda: not [name for name in os.listdir(server.data / "work") if task["id"] in name])

    def zombies():
        states = subprocess.run(["ps", "--ppid", str(server.process.pid), "-o", "stat="], capture_output=True, text=True,
                                check=False)
        return "Z" in states.stdout
    eventually(lambda: not zombies())
