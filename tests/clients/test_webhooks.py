"""Standard Webhooks' own library verifies the callbacks that come, and refuses what was changed on the way."""
import pytest
from services.receiver import signature

from clients import talk
import callbacks

SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


@pytest.fixture(scope="module")
def library():
    with talk.open_client("webhook") as client:
        yield client


@pytest.fixture
def make_server(tmp_path):
    from house import Server
    made = []

    def make(settings="", models="", commands=None):
        made.append(Server(tmp_path, settings, models, commands))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def post(make_server):
    made = callbacks.make_post(make_server)
    yield made
    made.close()


def signed(request):
    return {name: request.headers[name] for name in SIGNED}


def test_a_callback_is_verified_by_either_secret_of_a_rotation(post, library):
    server = post.server
    with server.client(server.key("one", test=True)) as client:
        first, second = (client.request("POST", "/v1/callbacks/secret/rotate").json()["secret"] for _ in range(2))
        task = client.submit("say", prompt="a fox 🦊", callback_url=post.receiver.url("/hook"))
        request, = post.receiver.wait("/hook")
        for secret in (first, second):
            verified = library.value("", "verify", secret, body=request.body.decode(), headers=signed(request))
            assert verified == client.task(task)
        third = client.request("POST", "/v1/callbacks/secret/rotate", {"overlap_s": 0}).json()["secret"]
        for wrong in ({"body": request.body.decode() + " ", "headers": signed(request)},
                      {"body": request.body.decode(), "headers": signed(request) | {"webhook-id": "msg_other"}},
                      {"body": request.body.decode(), "headers": signed(request) | {
                          "webhook-timestamp": str(request.timestamp + 1)}}):
            assert library.error("", "verify", second, **wrong)["message"] == "No matching signature found", wrong
        assert "No matching" in library.error("", "verify", third, body=request.body.decode(),
                                              headers=signed(request))["message"]
        assert signature(second, request) in request.signatures()


def test_a_test_event_is_verified_too(post, library):
    server = post.server
    with server.client(server.key("one", test=True)) as client:
        secret = client.request("POST", "/v1/callbacks/secret/rotate").json()["secret"]
        assert client.request("POST", "/v1/callbacks/test", {"url": post.receiver.url("/t")}).json()["status"] == "delivered"
        request, = post.receiver.wait("/t")
        verified = library.value("", "verify", secret, body=request.body.decode(), headers=signed(request))
        assert verified["model"] == "callback-test"
