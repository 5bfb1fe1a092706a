"""GET /v1/artifacts/{hash}/{name}: the bytes, their headers, ranges, validity."""
import hashlib
import re
import time

import pytest

from catalogue import IMAGE, MODELS
from client import Raw, eventually


@pytest.fixture(scope="module")
def artifact(server, live_key):
    """A URL and its bytes."""
    with server.client(live_key) as client:
        url = client.completed(IMAGE, MODELS["local-image"].body("local-image"))["results"][0]["url"]
        return url, client.download(url).body


def path_of(url):
    return url[url.index("/v1/artifacts/"):]


def test_bytes_and_headers(live, artifact):
    url, body = artifact
    response = live.download(url)
    digest = hashlib.sha256(body).hexdigest()
    assert response.status == 200
    assert body.startswith(b"\x89PNG")
    assert f"/{digest}/" in url
    headers = response.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(len(body))
    assert headers["ETag"] == f'"{digest}"'
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(r'inline; filename="[A-Za-z0-9._-]+\.png"', headers["Content-Disposition"])
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    age = re.fullmatch(r"private, max-age=([0-9]+).*", headers["Cache-Control"])
    assert 86000 < int(age.group(1)) <= 86401


def test_a_url_is_valid_for_24_hours(tester):
    before = time.time()
    url = tester.completed(IMAGE, {"model": "phota-image", "prompt": "x"})["results"][0]["url"]
    assert before <= int(re.search(r"expires=([0-9]+)", url).group(1)) - 86400 <= time.time() + 1


@pytest.mark.parametrize("header, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=0-99", 0, 99), ("bytes=10-", 10, None), ("bytes=-7", -7, None), ("bytes=5-9999999999", 5, None),
])
def test_one_range(live, artifact, header, first, last):
    url, body = artifact
    response = live.download(url, {"Range": header})
    start = first if first >= 0 else len(body) + first
    end = len(body) - 1 if last is None else last
    assert response.status == 206
    assert response.body == body[start:end + 1]
    assert response.headers["Content-Range"] == f"bytes {start}-{end}/{len(body)}"
    assert response.headers["Content-Length"] == str(end + 1 - start)


@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "bytes=5-2", "bytes=x-y", "seconds=0-1", "bytes", ""])
def test_other_ranges_are_ignored(live, artifact, header):
    response = live.download(artifact[0], {"Range": header})
    assert response.status == 200
    assert response.body == artifact[1]


@pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0"])
def test_a_range_beyond_the_end(live, artifact, header):
    response = live.download(artifact[0], {"Range": header})
    assert response.status == 416
    assert response.headers["Content-Range"] == f"bytes */{len(artifact[1])}"
    assert response.error()["code"] == "range_not_satisfiable"
    assert not {"Cache-Control", "Content-Disposition", "ETag"} & set(response.headers)


def test_conditions(live, artifact):
    url, body = artifact
    etag = live.download(url).headers["ETag"]
    for condition in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        response = live.download(url, {"If-None-Match": condition})
        assert (response.status, response.body) == (304, b"")
        assert response.headers["ETag"] == etag
        assert response.headers["Content-Length"] == str(len(body)), "the length is the file's, or not said"
    assert live.download(url, {"If-None-Match": '"other"'}).status == 200
    assert live.download(url, {"Range": "bytes=0-3", "If-Range": etag}).status == 206
    stale = live.download(url, {"Range": "bytes=0-3", "If-Range": '"other"'})
    assert (stale.status, stale.body) == (200, body)


def test_a_304_brings_no_body_and_keeps_the_connection(server, artifact):
    etag = '"' + path_of(artifact[0]).split("/")[3] + '"'
    with Raw(server) as raw:
        for _ in range(3):
            raw.send(f"GET {path_of(artifact[0])} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {etag}\r\n\r\n")
            assert raw.response().status == 304
        raw.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.response().json() == {"status": "ok"}


def test_head(server, artifact):
    with server.client() as client:
        response = client.request("HEAD", path_of(artifact[0]))
    assert response.status == 200
    assert response.headers["Content-Length"] == str(len(artifact[1]))
    assert response.body == b""


@pytest.mark.parametrize("given", ["bytes=0-3", "bytes=99999999-"])
def test_a_range_is_for_get_alone(server, artifact, given):
    with server.client() as client:
        response = client.request("HEAD", path_of(artifact[0]), headers={"Range": given})
    assert response.status == 200
    assert response.headers["Content-Length"] == str(len(artifact[1]))
    assert "Content-Range" not in response.headers


def test_a_changed_url_is_404(anyone, artifact):
    path = path_of(artifact[0])
    digest = path.split("/")[3]
    flipped = ("0" if digest[0] != "0" else "1") + digest[1:]
    signature = path.rsplit("=", 1)[1]
    for changed in (
            path.replace(digest, flipped), path.replace(digest, digest.upper()), path.replace(".png?", ".html?"),
            re.sub(r"expires=[0-9]+", "expires=9999999999", path), path.replace("expires=", "expires=0"),
            path[:-1] + ("A" if path[-1] != "A" else "B"), path.split("?")[0], path.split("&")[0], path + "x", path + "&x=1",
            path.replace(signature, ""), path.replace("expires", "Expires"),
            f"/v1/artifacts/x/y?expires=1&signature={signature}", f"/v1/artifacts/{'0' * 64}/..%2f..%2fetc%2fpasswd",
    ):
        response = anyone.get(changed)
        assert response.status == 404, (changed, response)
        assert response.error()["code"] in ("file_not_found", "route_not_found")


def test_an_expired_url_is_410(make_server):
    """The file goes too, in the end."""
    one = make_server("results = { ttl = 1 }\nsimulator = { seconds = 0 }")
    with one.client(one.key("someone", test=True)) as client:
        url = client.completed(IMAGE, {"model": "phota-image", "prompt": "x"})["results"][0]["url"]
        response = eventually(lambda: (lambda r: r if r.status != 200 else None)(client.download(url)))
        assert response.status == 410
        error = response.error()
        assert (error["type"], error["code"]) == ("gone", "result_expired")


def test_a_file_that_is_gone_is_404(make_server):
    one = make_server("results = { small = 0 }\nsimulator = { seconds = 0 }")
    with one.client(one.key("someone", test=True)) as client:
        url = client.completed(IMAGE, {"model": "phota-image", "prompt": "x"})["results"][0]["url"]
        digest = url.split("/")[-2]
        files = [path for path in (one.data / "blobs").rglob("*") if path.is_file() and digest[4:] in path.name]
        assert len(files) == 1, files
        files[0].unlink()
        response = client.download(url)
        assert response.status == 404
        assert response.error()["code"] == "file_not_found"


def test_links_survive_a_restart(make_server):
    one = make_server()
    key = one.key("someone", test=True)
    with one.client(key) as client:
        task = client.completed(IMAGE, {"model": "phota-image", "prompt": "x"})
        body = client.download(task["results"][0]["url"]).body
    assert one.stop() == 0
    one.start()
    with one.client(key) as client:
        url = client.task(task["id"])["results"][0]["url"]
        assert client.download(url).body == body


def test_two_downloads_on_one_connection(server, artifact):
    with Raw(server) as raw:
        for _ in range(2):
            raw.send(f"GET {path_of(artifact[0])} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.response().body == artifact[1]


def test_a_reader_that_goes_away_harms_nobody(server, artifact):
    for _ in range(5):
        with Raw(server) as raw:
            raw.send(f"GET {path_of(artifact[0])} HTTP/1.1\r\nHost: x\r\n\r\n")
    with server.client() as client:
        assert client.get("/healthz").status == 200

