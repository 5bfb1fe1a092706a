"""/openapi.json and /docs as answers: who gets them, when they change. What they say is held to every answer by described.py."""
import base64
import hashlib
import re
import signal

from client import eventually

MODEL = """
model "own-picture" {
  type = "image", summary = "A picture of our own", params = { prompt = text{ required, max = 77 } },
  routes = { exec = { command = "local-image", programs = {}, package = "none" } },
  results = function(out) return { { url = artifact(out.image) } } end, price = per_call(3),
}
"""


def test_it_is_for_everybody_and_says_when_it_is_the_same(anyone):
    first = anyone.get("/openapi.json")
    assert first.status == 200 and first.json()["openapi"] == "3.1.0"
    etag = first.headers["ETag"]
    again = anyone.get("/openapi.json", {"If-None-Match": etag})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    assert anyone.get("/openapi.json", {"If-None-Match": '"other"'}).body == first.body


def test_a_reload_brings_the_new_catalogue(make_server, tmp_path):
    models = tmp_path / "catalogue" / "models"
    models.mkdir(parents=True)
    server = make_server(f'catalog = "{models.parent}"')
    with server.client() as client:
        before = client.get("/openapi.json")
        assert "model.own-picture" not in before.json()["components"]["schemas"]
        (models / "own.lua").write_text(MODEL)
        server.process.send_signal(signal.SIGHUP)
        document = eventually(lambda: (answer := client.get("/openapi.json")).headers["ETag"] != before.headers["ETag"]
                              and answer.json())
    schema = document["components"]["schemas"]["model.own-picture"]
    assert schema["properties"]["model"]["const"] == "own-picture" and schema["properties"]["prompt"]["maxLength"] == 77
    assert "callback_url" in schema["properties"] and schema["required"] == ["model", "prompt"]
    assert {"$ref": "#/components/schemas/model.own-picture"} in document["components"]["schemas"]["ImageSubmission"]["oneOf"]


def test_the_page_allows_nothing_but_itself(anyone):
    answer = anyone.get("/docs")
    policy, page = answer.headers["Content-Security-Policy"], answer.body.decode()
    assert answer.status == 200 and policy.startswith("default-src 'none'; ")
    for name in ("style", "script"):
        (inside,) = re.findall(f"<{name}>(.*?)</{name}>", page, re.S)
        hashed = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{hashed}'" in policy
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_the_voices(tester):
    voices = tester.get("/v1/configs/minimax-preset-voice-id").json()
    assert list(voices) == ["object", "data"] and len(voices["data"]) == 17
    assert voices["data"][0] == {"id": "Wise_Woman", "object": "voice", "owned_by": "minimax"}
