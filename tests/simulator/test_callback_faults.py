"""Receivers in trouble: each delivery is tried by the ladder until it is delivered, or shown as given up (W1)."""
import json
import socket
import time

import pytest
from services import receiver as behaving
from services.receiver import Receiver, status

from callbacks import callback, ended, make_post, metric, of_task
from house import eventually
from ports import held_port

LADDER_S = [1, 2, 4, 30, 120, 600, 3600, 6 * 3600, 24 * 3600]
LIFE_S = 48 * 3600


@pytest.fixture
def start(make_server):
    made = []

    def start(**options):
        made.append(make_post(make_server, **options))
        return made[-1]

    yield start
    for post in made:
        post.close()


@pytest.fixture
def port():
    """Where nobody listens until a test does."""
    with held_port() as number:
        yield number


def client_of(post, account="one"):
    return post.server.client(post.server.key(account, test=True))


def submit(client, url):
    return client.submit("say", prompt="x", callback_url=url)


def tried(client, task, count):
    """The callback once it was tried so often."""
    def look():
        row = of_task(client, task)
        return row if row["try_count"] >= count else None

    return eventually(look)


def test_errors_for_hours_use_up_the_ladder(start):
    """31 hours pass in some seconds; no try comes before its time."""
    post = start(speed=10000)
    paths = []

    def whole_ladder():
        """Nothing when the machine has lost so many of these hours that the delivery's time was over before its ladder."""
        paths.append(f"/hook-{len(paths)}")
        post.receiver.behave[paths[-1]] = status(500, b"out of order")
        row = ended(client, submit(client, post.receiver.url(paths[-1])), "given_up", 120)
        return row if row["ended"] - row["created"] < LIFE_S else None

    with client_of(post) as client:
        row = eventually(whole_ladder)
    assert [one["outcome"] for one in row["tries"]] == ["http_error"] * 10 and row["try_count"] == 10
    times = [one["at"] for one in row["tries"]]
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    assert all(pause >= rung - 1 for pause, rung in zip(pauses, LADDER_S)), pauses
    requests = post.receiver.at(paths[-1])
    assert len(requests) == 10 and len({one.id for one in requests}) == 1
    stamps = [one.timestamp for one in requests]
    assert stamps == sorted(stamps) and stamps[-1] - stamps[0] >= sum(LADDER_S) - 10, "each try has its own time"
    print("pauses:", pauses)


def test_the_ladder_goes_on_over_restarts(start):
    post = start(speed=300)
    post.receiver.behave["/hook"] = status(500)
    with client_of(post) as client:
        task = submit(client, post.receiver.url("/hook"))
        for lives in range(1, 5):
            before = tried(client, task, lives)["try_count"]
            assert (post.server.kill() if lives % 2 else post.server.stop()) in (0, -9)
            post.server.start()
            assert of_task(client, task)["try_count"] >= before
        row = tried(client, task, 6)
        times = [one["at"] for one in row["tries"]]
        pauses = [later - earlier for earlier, later in zip(times, times[1:])]
        assert all(pause >= rung - 1 for pause, rung in zip(pauses, LADDER_S)), pauses
        post.receiver.behave["/hook"] = status(204)
        row = ended(client, task, "delivered", 120)
    assert len({one.id for one in post.receiver.at("/hook")}) == 1


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_what_was_due_at_an_end_comes_in_the_next_life(start, port, end):
    """The receiver is away when the tasks end, and so is the server when it comes back."""
    post = start(port=port)
    with client_of(post) as client:
        tasks = [submit(client, f"http://127.0.0.1:{port}/hook") for _ in range(20)]
        for task in tasks:
            client.completed(task)
        tried(client, tasks[0], 1)
    assert post.server.stop() == 0 if end == "SIGTERM" else post.server.kill() == -9
    post.receivers.append(Receiver(port=port))
    post.server.start()
    requests = post.receiver.wait("/hook", 20)
    assert sorted(json.loads(one.body)["id"] for one in requests) == sorted(tasks)
    with post.server.client(client.key) as client:
        for task in tasks:
            ended(client, task, "delivered")
    assert len(post.receiver.at("/hook")) == 20, "once each, in one life"


def test_a_receiver_that_dies_and_comes_back_gets_all(start, port):
    post = start(speed=50, port=port)
    with client_of(post) as client:
        tasks = [submit(client, f"http://127.0.0.1:{port}/hook") for _ in range(100)]
        for task in tasks:
            client.completed(task)
        row = tried(client, tasks[0], 1)
        assert row["outcome"] == "connection_failed" and row["tries"][0]["http_status"] is None, row
        eventually(lambda: metric(client, "fennec_callback_receivers_open") == 1)
        assert metric(client, "fennec_callback_tries_total") < 100, "an open circuit spares tries"
        post.receivers.append(Receiver(port=port))
        post.receiver.wait("/hook", 100)
        for task in tasks:
            ended(client, task, "delivered")
        assert metric(client, "fennec_callback_receivers_open") == 0
    assert len(post.receiver.at("/hook")) == 100


def test_redirects_are_no_delivery_and_followed_by_nobody(start):
    post = start(receivers=2)
    target = post.receivers[1]
    codes = (301, 302, 303, 307, 308)
    with client_of(post) as client:
        for code in codes:
            post.receiver.behave[f"/{code}"] = status(code, Location=target.url("/target"))
        post.receiver.behave["/metadata"] = status(302, Location="http://169.254.169.254/")
        tasks = [submit(client, post.receiver.url(f"/{path}")) for path in (*codes, "metadata")]
        for task in tasks:
            row = tried(client, task, 1)
            assert row["status"] == "due" and row["tries"][0]["outcome"] == "redirect", row
    assert target.requests == []


def test_gone_ends_it_at_once_and_the_address_is_left_alone(start):
    post = start()
    post.receiver.behave["/hook"] = status(410)
    with client_of(post) as client, client_of(post, "two") as other:
        row = ended(client, submit(client, post.receiver.url("/hook")), "given_up")
        assert (row["outcome"], row["http_status"], row["try_count"]) == ("gone", 410, 1), row
        later = ended(client, submit(client, post.receiver.url("/hook")), "given_up")
        assert (later["outcome"], later["try_count"]) == ("gone", 0), later
        assert len(post.receiver.at("/hook")) == 1
        ended(client, submit(client, post.receiver.url("/other")), "delivered")
        assert ended(other, submit(other, post.receiver.url("/hook")), "given_up")["try_count"] == 1, "of its own account"
        post.receiver.behave["/hook"] = status(200)
        client.request("POST", f"/v1/callbacks/{later['id']}/replay")
        eventually(lambda: callback(client, later["id"])["status"] == "delivered")
        ended(client, submit(client, post.receiver.url("/hook")), "delivered")
        ended(other, submit(other, post.receiver.url("/hook")), "given_up")
        assert other.request("POST", "/v1/callbacks/test", {"url": post.receiver.url("/hook")}).json()["status"] == "delivered"
        ended(other, submit(other, post.receiver.url("/hook")), "delivered")


def test_each_manner_of_trouble_has_its_outcome(start):
    post = start()
    post.receiver.behave |= {"/hang": behaving.hang, "/slow-head": behaving.slow_head, "/slow-body": behaving.slow_body,
                             "/reset": behaving.reset, "/huge": behaving.huge, "/404": status(404),
                             "/announced": lambda c, e: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")}
    with client_of(post) as client:
        tasks = {path: submit(client, post.receiver.url(f"/{path}"))
                 for path in ("hang", "slow-head", "slow-body", "reset", "huge", "404", "announced")}
        rows = {path: tried(client, task, 1) for path, task in tasks.items()}
    first = {path: (row["tries"][0]["outcome"], row["tries"][0]["http_status"]) for path, row in rows.items()}
    assert first == {"hang": ("timeout", None), "slow-head": ("timeout", None), "slow-body": ("delivered", 200),
                     "reset": ("connection_failed", None), "huge": ("delivered", 200), "404": ("http_error", 404),
                     "announced": ("delivered", 200)}
    assert all(9500 <= rows[path]["tries"][0]["duration_ms"] <= 30000 for path in ("hang", "slow-head")), rows
    assert rows["404"]["status"] == "due", "a 404 is tried again"
    assert len(rows["huge"]["tries"][0]["excerpt"]) == 500


@pytest.mark.parametrize("code", [503, 500, 404, 302])
def test_retry_after_is_heard(start, code):
    post = start(speed=200)
    post.receiver.behave["/hook"] = status(code, Retry_After=900)
    with client_of(post) as client:
        task = submit(client, post.receiver.url("/hook"))
        row = tried(client, task, 2)
    assert row["tries"][1]["at"] - row["tries"][0]["at"] >= 899, row


def test_a_name_that_leads_to_a_private_address_is_not_connected_to(start):
    """The pair that is exempt is named by its number; a name that leads there is checked where it leads to."""
    name = socket.gethostname()
    try:
        leads_to = socket.gethostbyname(name)
    except OSError:
        pytest.skip("the machine's own name leads nowhere")
    if not leads_to.startswith("127."):
        pytest.skip("the machine's own name leads to another machine")
    post = start()
    with client_of(post) as client:
        row = tried(client, submit(client, post.receiver.url("/hook", host=name)), 1)
        assert (row["status"], row["outcome"], row["http_status"]) == ("due", "blocked_address", None), row
        answer = client.try_submit("say", callback_url=f"http://127.0.0.2:{post.receiver.port}/")
        assert answer.status == 422 and answer.error()["param"] == "callback_url"
    assert post.receiver.requests == []


def test_a_hanging_receiver_with_hundreds_due_delays_nobody(start):
    post = start(receivers=2)
    dead, healthy = post.receivers
    dead.behave["/hook"] = behaving.hang
    with client_of(post) as mine, client_of(post, "two") as other:
        stuck = [submit(mine, dead.url("/hook")) for _ in range(300)]
        for task in stuck:
            mine.completed(task)
        dead.wait("/hook", 8)
        delays = []
        for i in range(100):
            client = (mine, other)[i % 2]
            task = submit(client, healthy.url(f"/{i}"))
            client.completed(task)
            done = time.monotonic()
            delays.append(healthy.wait(f"/{i}")[0].at - done)
        order = [one.path for one in healthy.requests]
        assert order == [f"/{i}" for i in range(100)], "in the order of their ends"
        # The healthy receiver's last one may still be counted for a moment: its answer is out, not yet written down.
        eventually(lambda: metric(mine, "fennec_callbacks_running") <= 8)  # no more than its places
        assert len(dead.at("/hook")) < 30, "an open circuit spares it"
        assert metric(mine, "fennec_callbacks_due") >= 290
        print(f"healthy: median {sorted(delays)[50] * 1000:.1f} ms, longest {max(delays) * 1000:.1f} ms; "
              f"hanging: {len(dead.at('/hook'))} tries at 300 due")
        assert sum(1 for task in stuck if of_task(mine, task)["status"] == "due") == 300
    dead.ended.set()
