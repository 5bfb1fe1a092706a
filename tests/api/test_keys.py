"""Keys: missing, malformed, unknown, revoked, expired, and who sees what."""
import pytest

from client import Raw, eventually

WRONG = "sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAK"

NEEDS_KEY = [
    ("GET", "/v1/tasks/task-unified-1757165031-uyujaw3d"), ("GET", "/v1/models"), ("GET", "/v1/account/credits"),
    ("POST", "/v1/images/generations"), ("POST", "/v1/videos/generations"), ("POST", "/v1/audios/generations"),
    ("POST", "/v1/audio/generations"),
]


@pytest.mark.parametrize("method, path", NEEDS_KEY)
@pytest.mark.parametrize("authorization, code", [
    (None, "missing_api_key"), ("", "missing_api_key"), ("Bearer ", "missing_api_key"), ("Bearer", "missing_api_key"),
    ("Basic YTpi", "invalid_api_key"), (WRONG, "invalid_api_key"), ("Bearer x", "invalid_api_key"),
    ("Bearer " + WRONG, "invalid_api_key"), ("Bearer " + WRONG + "x", "invalid_api_key"), ("Bearer " + "x" * 8000, "invalid_api_key"),
    ("Bearer \xe9", "invalid_api_key"),
])
def test_without_a_valid_key_it_is_401(anyone, method, path, authorization, code):
    headers = {} if authorization is None else {"Authorization": authorization}
    response = anyone.request(method, path, {} if method == "POST" else None, headers)
    assert response.status == 401, response
    error = response.error()
    assert (error["type"], error["code"]) == ("authentication_error", code)
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_schemes_case_does_not_matter(server, test_key, anyone):
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert anyone.get("/v1/models", {"Authorization": f"{scheme} {test_key}"}).status == 200


def test_a_revoked_key_is_refused_at_once(server):
    key = server.key("revoked", test=True)
    with server.client(key) as client:
        assert client.get("/v1/models").status == 200
        server.cli("key", "revoke", key[:16])
        response = eventually(lambda: (lambda r: r if r.status == 401 else None)(client.get("/v1/models")))
        assert response.error()["code"] == "invalid_api_key"


def test_an_expired_key_says_so(server):
    with server.client(server.key("expired", test=True, expires="0s")) as client:
        response = client.get("/v1/models")
        assert response.status == 401
        assert response.error()["code"] == "expired_api_key"


def test_a_key_made_while_the_server_runs_works_at_once(server):
    with server.client(server.key("fresh", test=True)) as client:
        assert client.get("/v1/models").status == 200


def test_two_keys_of_one_account_see_the_same_tasks(server):
    with server.client(server.key("pair", test=True)) as first, server.client(server.key("pair", test=True)) as second:
        made = first.submit("/v1/images/generations", {"model": "phota-image", "prompt": "x"})
        assert second.task(made["id"])["id"] == made["id"]


def test_an_unauthorized_body_is_not_read(server):
    """A large one is refused at once; a client that asks first is told before it sends."""
    with Raw(server) as raw:
        raw.send("POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n")
        assert raw.response().status == 401
        assert raw.closed()
    with Raw(server) as raw:
        raw.send("POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
        assert raw.response().status == 401
        assert raw.closed()


def test_two_authorization_headers_are_refused(server, test_key):
    with Raw(server) as raw:
        raw.send(f"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {test_key}\r\nAuthorization: Bearer {WRONG}\r\n\r\n")
        assert raw.response().status == 400


def test_the_key_list_shows_no_key(server):
    key = server.key("listed", test=True)
    listing = server.cli("key", "list")
    assert key[:16] in listing
    assert key not in listing
