"""What a model says of its input files holds for files inside a request, before anything is accepted or billed."""
import base64
import io
import struct
import wave
import zlib

import pytest

from catalogue import IMAGE, VIDEO
from conftest import CONFIG

MODEL = """
model "limited" {
    type = "video", price = per_call(1),
    params = {
        image_url = url{ "image", nullable, max_bytes = "4 kB", min_side = 64, max_side = 512, max_ratio = 2.5 },
        audio_urls = list{ url{ "audio", min_seconds = 2, max_seconds = 15, max_bytes = "300 kB" }, max = 2,
                           nullable },
    },
    routes = { exec = { command = "no-such-command" } },
    simulate = function() return { video = sample.video{ seconds = 1 } } end,
    results = function(out) return { { url = artifact(out.video) } } end,
}
"""


def png(width, height, filler=0):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = zlib.compress((b"\0" + bytes(width)) * height, 9)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", rows) + chunk(b"tEXt", b"x\0" + b"y" * filler) + chunk(b"IEND", b""))


def sound(seconds):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes(int(8000 * seconds)))
    return out.getvalue()


def inline(kind, data):
    return f"data:{kind};base64," + base64.b64encode(data).decode()


@pytest.fixture
def limited(make_server, tmp_path):
    directory = tmp_path / "catalog" / "models"
    directory.mkdir(parents=True)
    (directory / "limited.lua").write_text(MODEL)
    server = make_server(CONFIG + f'catalog = "{directory.parent}"\n')
    with server.client(server.key("someone", test=True)) as client:
        yield client


def test_files_within_the_limits_are_taken(limited):
    task = limited.submit(VIDEO, {"model": "limited", "image_url": inline("image/png", png(64, 160)),
                                  "audio_urls": [inline("audio/wav", sound(2)), inline("audio/wav", sound(15))]})
    assert task["status"] == "pending"
    # what is behind a link is not at hand yet
    limited.submit(VIDEO, {"model": "limited", "image_url": "https://example.com/enormous.png"})


@pytest.mark.parametrize("field, value, words", [
    ("image_url", inline("image/png", png(63, 100)), "at least 64 pixels a side; it has 63 x 100"),
    ("image_url", inline("image/png", png(513, 400)), "at most 512 pixels a side; it has 513 x 400"),
    ("image_url", inline("image/png", png(64, 161)), "at most 2.5 times the other; it has 64 x 161"),
    ("image_url", inline("image/png", png(64, 64, filler=4000)), "at most 4000 bytes; it has 4"),
    ("audio_urls[1]", inline("audio/wav", sound(1.5)), "at least 2 seconds; it lasts 1.50"),
    ("audio_urls[1]", inline("audio/wav", sound(15.5)), "at most 15 seconds; it lasts 15.50"),
])
def test_files_outside_of_the_limits_are_refused_by_name(limited, field, value, words):
    body = {"image_url": value} if field == "image_url" else {"audio_urls": [inline("audio/wav", sound(3)), value]}
    response = limited.post(VIDEO, {"model": "limited", **body})
    assert response.status == 422, response
    error = response.error()
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "out_of_range", field)
    assert words in error["message"], error


REMOTE = """
model "distant" {
    type = "image", price = per_call(1),
    params = { image_url = url{ "image", required }, image_urls = list{ url{ "image" }, nullable } },
    routes = { fal = { target = "x/y", inputs = "links" } },
    simulate = function() return { image = sample.image{} } end,
    results = function(out) return { { url = artifact(out.image) } } end,
}
"""


@pytest.mark.parametrize("field", ["image_url", "image_urls[1]"])
def test_a_file_that_no_service_could_get_is_refused_by_name(make_server, tmp_path, field):
    directory = tmp_path / "catalog" / "models"
    directory.mkdir(parents=True)
    (directory / "distant.lua").write_text(REMOTE)
    # nothing is ever asked at this address: every request is refused before
    server = make_server(CONFIG + f"""catalog = "{directory.parent}"
        providers = {{ fal = {{ key = "not-a-real-key", url = "http://127.0.0.1:9", allow_private = true }} }}""")
    link, file = "https://example.com/a.png", inline("image/png", png(8, 8))
    body = {"image_url": file} if field == "image_url" else {"image_url": link, "image_urls": [link, file]}
    with server.client(server.key("someone", credits=10)) as client:
        response = client.post(IMAGE, {"model": "distant", **body})
        assert response.status == 422
        error = response.error()
        assert (error["code"], error["param"]) == ("invalid_url", field)
        assert "public_url" in error["message"]
    with server.client(server.key("someone", test=True)) as client:
        assert client.submit(IMAGE, {"model": "distant", **body})["status"] == "pending"  # the simulator needs none
