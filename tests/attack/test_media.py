"""Pictures and sounds that are something else, or larger than they look; and a command that leaves what is hard to remove."""
import base64
import struct
import zlib

from conftest import SETTINGS
from house import AUDIO, IMAGE, VIDEO, eventually, saying_model

MAPS, FILM, WORDS = "local-pbr-maps", "local-image-to-video", "local-transcribe"


def data_uri(kind, data):
    return f"data:{kind};base64," + base64.b64encode(data).decode()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, high, rows=b""):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, high, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows or b"\0" * 1000)) + chunk(b"IEND", b""))


def attempts(client, bait, those):
    """(endpoint, model, parameters) each: refused at once, or a task that fails; none takes the bait."""
    tasks = []
    for endpoint, model, parameters in those:
        answer = client.try_submit(model, endpoint, **parameters)
        assert answer.status in (200, 400, 413, 422), answer
        tasks += [answer.json()["id"]] if answer.status == 200 else []
    for task in tasks:
        ended = client.final(task, 120)
        assert ended["status"] == "failed" and ended["usage"]["credits_charged"] == 0, ended
        assert ended["error"]["code"] in ("image_processing_error", "invalid_parameters", "image_dimension_mismatch"), ended
    bait.check()


def test_pictures_that_are_programs_or_lists(client, bait):
    file, url = bait.file, bait.url()
    forms = [f'<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="{file}"/><image xlink:href="{url}"/></svg>',
             f"push graphic-context\nviewbox 0 0 640 480\nfill 'url({url})'\nimage over 0,0 0,0 'text:{file}'\npop graphic-context",
             f'<?xml version="1.0"?><image><read filename="text:{file}"/><write filename="/tmp/fennec-was-here"/></image>',
             f"label:@{file}", f"%!PS\n({file}) (r) file", f"#EXTM3U\n#EXTINF:1,\nfile://{file}\n", f"P6 60000 60000 255\n{file}"]
    attempts(client, bait, [(endpoint, model, {"image_url": data_uri(kind, form.encode()), **more}) for form in forms
                            for kind in ("image/png",) for endpoint, model, more in ((IMAGE, MAPS, {"maps": ["height"]}), (VIDEO, FILM, {}))])


def test_pictures_larger_than_they_look(client, bait):
    bombs = [png(60000, 60000), png(1, 2000000000), png(2147483647, 2147483647), png(16000, 16000, b"\0" * (16000 * 3 + 1) * 20)]
    attempts(client, bait, [(endpoint, model, {"image_url": data_uri("image/png", one), **more}) for one in bombs
                            for endpoint, model, more in ((IMAGE, MAPS, {"maps": ["height"]}), (VIDEO, FILM, {}))])


def test_sounds_that_are_play_lists(client, bait):
    file, url = bait.file, bait.url()
    lists = [f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{file}\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
             f"ffconcat version 1.0\nfile '{file}'\n", f"concat:{file}|{file}", f"<?xml version=\"1.0\"?><MPD><BaseURL>{url}</BaseURL></MPD>",
             f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {bait.listener.port} RTP/AVP 0\n", f"[playlist]\nFile1={url}\n",
             f"RIFF\x24\0\0\0WAVE{file}"]
    attempts(client, bait, [(AUDIO, WORDS, {"audio_url": data_uri("audio/wav", one.encode())}) for one in lists])


DEEP = """#!/usr/bin/python3
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(1500):
    os.mkdir("deeper-than-a-path-is-long")
    os.chdir("deeper-than-a-path-is-long")
print("progress 50", flush=True)
time.sleep(1000)
"""


def test_what_a_command_left_does_not_keep_the_server_from_starting(make_server):
    server = make_server(SETTINGS, saying_model("deep"), {"deep": DEEP}).start()
    with server.client(server.key("one", credits=10)) as client:
        task = client.submit("deep", prompt="x")
        eventually(lambda: client.task(task)["status"] == "failed" or client.task(task)["progress"] >= 50)
        server.kill()
        server.start()
        ended = client.final(task)
        assert ended["status"] == "failed" and ended["usage"]["credits_charged"] == 0, ended
