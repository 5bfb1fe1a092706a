"""A Fennec whose tasks end at once, receivers that it may call back, and looks at what became of its callbacks."""
from services import clock
from services.receiver import Receiver

from house import HELD_S, QUICK, eventually, saying_model

MODELS = saying_model("say", "per_call(1)", HELD_S)


class Post:
    """The server with its receivers; with a `port` instead, one that a test starts itself may be called back there."""

    def __init__(self, server, receivers=1, speed=1, retention=86400 * 30, port=None):
        self.server, self.receivers = server, [Receiver() for _ in range(receivers if port is None else 0)]
        self.clock = clock.Clock(speed)
        server.environment = self.clock.environment
        pairs = [one.pair for one in self.receivers] if port is None else [f"127.0.0.1:{port}"]
        self.server.configure("drain = 15\nsimulator = { seconds = 0 }\nhttp = { idle = 86400, request = 86400 }\n"
                              f"callbacks = {{ allow_http = true, retention = {retention} }}\n"
                              "groups = { default = { concurrency = 200, requests_per_minute = 0 } }\n"
                              f"fetch = {{ allow = {{ {', '.join(repr(pair) for pair in pairs)} }} }}\n")
        self.server.start()

    @property
    def receiver(self):
        return self.receivers[0]

    def close(self):
        for one in self.receivers:
            one.close()


def callback(client, callback_id):
    answer = client.get(f"/v1/callbacks/{callback_id}")
    assert answer.status == 200, answer
    return answer.json()


def of_task(client, task_id):
    """The task's only callback, with its tries."""
    answer = client.get(f"/v1/callbacks?task_id={task_id}")
    assert answer.status == 200, answer
    rows = answer.json()["data"]
    assert len(rows) == 1, rows
    return callback(client, rows[0]["id"])


def ended(client, task_id, status, patience_s=60):
    """The task's callback once it is delivered or given up, which must be the one expected."""
    def look():
        row = of_task(client, task_id)
        return row if row["status"] in ("delivered", "given_up") else None

    row = eventually(look, patience_s)
    assert row["status"] == status, row
    return row


def metric(client, name):
    lines = client.get("/metrics").body.decode().splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith(name + " ")][0]


def make_post(make_server, **options):
    return Post(make_server("", MODELS, {"say": QUICK}), **options)
