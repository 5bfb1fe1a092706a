"""W1: no callback comes before its submission's answer was sent, and each comes once it was, or its client has left."""
import json
import socket
import threading

import pytest

from callbacks import ended, make_post, metric, of_task
from house import eventually

SUBMISSIONS = 1500  # their answers are more than the connection takes unread


@pytest.fixture
def post(make_server):
    made = make_post(make_server)
    yield made
    made.close()


class Unread:
    """A client that pipelines its submissions and reads nothing, over a connection that takes little of it."""

    def __init__(self, server, key, bodies):
        host, port = server.address.split(":")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least there is
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.connect((host, int(port)))
        requests = b"".join(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode() for path, body in bodies)
        self.reader, self.found = self.socket.makefile("rb"), 0
        self.writer = threading.Thread(target=self.write, args=(requests,))
        self.writer.start()

    def write(self, requests):
        try:
            self.socket.sendall(requests)
        except OSError:
            pass  # left

    def read_answers(self, count):
        """Until so many have begun, those that were read before included."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        while self.found < count:
            line = self.reader.readline()
            assert line, "the connection was closed"
            self.found += line.count(b"HTTP/1.1 200 ")  # behind a body without a line end

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.reader.close()
        self.socket.close()
        self.writer.join()


def submission(post, protocol, number, model):
    url = post.receiver.url(f"/{number}")
    if protocol == "llm":
        body = {"model": model, "prompt": "fennec:tokens=1", "max_tokens": 1, "callback_url": url}
        return "/v1/llm/generations", json.dumps(body)
    return "/v1/images/generations", json.dumps({"model": "say", "prompt": "x", "callback_url": url})


@pytest.mark.parametrize("protocol", ["image", "llm"])
@pytest.mark.parametrize("goes_on", ["reads", "leaves"])
def test_who_does_not_read_its_answer_is_not_called_back(post, protocol, goes_on):
    key = post.server.key("one", test=True)
    with post.server.client(key) as client:
        model = client.get("/v1/configs/llm_generations_models").json()["data"][0]["id"]
        unread = Unread(post.server, key, [submission(post, protocol, i, model) for i in range(SUBMISSIONS)])
        try:
            def held_back():
                """The last task has ended, all others were told of, and nothing of it was sent."""
                newest = client.get("/v1/callbacks?limit=1").json()["data"]
                if not newest or newest[0]["status"] != "due":
                    return None
                due = client.get("/v1/callbacks?status=due&limit=2").json()["data"]
                return newest[0] if [one["id"] for one in due] == [newest[0]["id"]] else None

            def stands_still():
                first = held_back()
                for _ in range(20 if first else 0):  # others would have been accepted meanwhile
                    client.get("/v1/callbacks?limit=1")
                    post.receiver.ended.wait(0.05)
                return first if first and held_back() == first else None

            row = eventually(stands_still)
            assert client.status(row["task_id"]) == "completed" and row["try_count"] == 0, row
            path = row["url"].rsplit("/", 1)[1]
            accepted = int(path) + 1
            assert accepted < SUBMISSIONS, "the connection took everything"
            eventually(lambda: metric(client, "fennec_callbacks_delivered_total") == accepted - 1)  # counted once written
            assert not post.receiver.at("/" + path)
            if goes_on == "reads":
                unread.read_answers(accepted)
            else:
                unread.close()
            assert ended(client, row["task_id"], "delivered")["try_count"] == 1
            assert len(post.receiver.at("/" + path)) == 1
            if goes_on == "reads":
                unread.read_answers(SUBMISSIONS)  # the others' as well: who stops again is held back again
            eventually(lambda: client.get("/v1/callbacks?status=due").json()["data"] == [])
        finally:
            if goes_on == "reads":
                unread.close()


def test_a_repeated_submission_opens_no_gate_and_leaves_none_shut(post):
    """Two at a time with one key, of which the first goes away before its answer: the one task calls back once."""
    key = post.server.key("one", test=True)
    with post.server.client(key) as client:
        for number in range(20):
            path, body = submission(post, "image", number, None)
            head = (f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
                    f"Idempotency-Key: same-{number}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()
            host, port = post.server.address.split(":")
            first, second = (socket.create_connection((host, int(port))) for _ in range(2))
            first.sendall(head)
            second.sendall(head)
            first.close()
            with second, second.makefile("rb") as answer:
                assert answer.readline().startswith(b"HTTP/1.1 200 ")
            post.receiver.wait(f"/{number}")
        rows = client.get("/v1/callbacks?limit=100").json()["data"]
        assert len(rows) == 20 == len({row["task_id"] for row in rows})
        for row in rows:
            assert ended(client, row["task_id"], "delivered")["try_count"] == 1
        assert len(post.receiver.requests) == 20


def test_refused_submissions_leave_nothing_behind(post):
    with post.server.client(post.server.key("one", test=True)) as client:
        url = post.receiver.url("/hook")
        for body in ({"prompt": 1}, {"unknown": 1}, {"callback_url": "ftp://x/"}, {"result_ttl": -1}, {"num_outputs": 0}):
            assert client.try_submit("say", **{"callback_url": url, **body}).status == 422, body
        assert client.try_submit("say", callback_url=url, dry_run=True).json()["object"] == "estimate"
        assert client.get("/v1/callbacks").json()["data"] == []
        task = client.submit("say", callback_url=url)
        assert ended(client, task, "delivered")["try_count"] == 1
        assert of_task(client, task)["try_count"] == 1 == len(post.receiver.requests)
