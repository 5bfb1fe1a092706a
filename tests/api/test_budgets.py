"""Budgets of keys: what a key may spend in all and each UTC day, exact whoever comes at the same time."""
import threading
import time

import pytest

from catalogue import IMAGE
from client import eventually
from conftest import PATIENT

PICTURE = {"model": "phota-image", "prompt": "x"}  # 8 credits
NEVER = {"model": "phota-image", "prompt": "fennec:never"}
CHAT = "/v1/chat/completions"


def make_key(server, account, *options):
    return server.cli("key", "create", "--account", account, *options).strip()


def token(client):
    response = client.get("/v1/account/credits")
    assert response.status == 200, response
    return response.json()["data"]["token"]


def refused(response, *words):
    assert response.status == 402, response
    error = response.error()
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
    for word in ("budget", *words):
        assert word in error["message"], error
    return error["message"]


def test_a_budget_in_all(server):
    with server.client(make_key(server, "budget-total", "--test", "--budget", "20")) as client:
        assert token(client) == {"remaining_credits": 20, "unlimited_credits": False, "used_credits": 0}
        client.completed(IMAGE, PICTURE)
        made = client.submit(IMAGE, NEVER)
        assert token(client) == {"remaining_credits": 4, "unlimited_credits": False, "used_credits": 8}
        assert "day" not in refused(client.post(IMAGE, PICTURE), "8 credits", "20 credits")
        # What a task gives back can be spent again.
        assert client.post(f"/v1/tasks/{made['id']}/cancel").status == 200
        assert token(client) == {"remaining_credits": 12, "unlimited_credits": False, "used_credits": 8}
        client.completed(IMAGE, PICTURE)
        refused(client.post(IMAGE, PICTURE))


def test_a_failed_task_spends_nothing(server):
    with server.client(make_key(server, "budget-failed", "--test", "--budget", "8")) as client:
        for _ in range(3):
            assert client.run(IMAGE, {**PICTURE, "prompt": "fennec:error"})["status"] == "failed"
        assert token(client)["used_credits"] == 0
        client.completed(IMAGE, PICTURE)
        refused(client.post(IMAGE, PICTURE))


def test_budgets_are_of_one_key_alone(server):
    tight, wide = (make_key(server, "budget-two", "--test", *budget) for budget in (("--budget", "8"), ()))
    with server.client(tight) as one, server.client(wide) as other:
        one.completed(IMAGE, PICTURE)
        refused(one.post(IMAGE, PICTURE))
        other.completed(IMAGE, PICTURE)
        assert token(other)["used_credits"] == 8
        assert token(other)["unlimited_credits"] is True
        assert other.get("/v1/account/credits").json()["data"]["user"]["used_credits"] == 16


def test_the_balance_bounds_a_budget(server):
    with server.client(make_key(server, "budget-poor", "--credits", "3", "--budget", "100")) as client:
        assert token(client) == {"remaining_credits": 3, "unlimited_credits": False, "used_credits": 0}


def test_a_budget_can_be_changed_while_the_server_runs(server):
    key = make_key(server, "budget-changed", "--test", "--name", "worker")
    with server.client(key) as client:
        client.completed(IMAGE, PICTURE)
        server.cli("key", "set", key[:16], "--budget", "10")  # what was spent before counts
        eventually(lambda: token(client)["remaining_credits"] == 2)
        refused(client.post(IMAGE, PICTURE), "10 credits")
        server.cli("key", "set", "worker", "--account", "budget-changed", "--budget", "16.5")
        eventually(lambda: token(client)["remaining_credits"] == 8.5)
        client.submit(IMAGE, PICTURE)
        server.cli("key", "set", key[:16], "--budget", "none")
        eventually(lambda: token(client)["unlimited_credits"])
        client.submit(IMAGE, PICTURE)


def test_two_hundred_at_once_share_a_budget_of_seven(server):
    key = make_key(server, "budget-race", "--test", "--budget", "56", "--budget-day", "56")
    statuses, start = [], threading.Barrier(200)

    def submit():
        with server.client(key) as client:
            client.get("/v1/models")  # the connection stands before it begins
            start.wait()
            statuses.append(client.post(IMAGE, NEVER).status)

    threads = [threading.Thread(target=submit) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(200), statuses.count(402)) == (7, 193)
    with server.client(key) as client:
        assert token(client)["remaining_credits"] == 0


def test_tasks_and_calls_at_once_share_a_budget(server):
    """What a call may cost and what a task takes are seen by each other, whichever is first."""
    statuses, start = [], threading.Barrier(60)
    call = {"model": "gpt-5.5", "max_tokens": 50, "messages": [{"role": "user", "content": "word " * 4000}]}
    key = make_key(server, "budget-mixed", "--test", "--budget", "80")

    def submit(number):
        with server.client(key) as client:
            start.wait()
            answer = client.post(CHAT, call) if number % 2 else client.post(IMAGE, NEVER)
            assert answer.status in (200, 402), answer
            statuses.append(answer.status)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 402}
    with server.client(key) as client:
        spent = -client.get("/v1/account/credits").json()["data"]["user"]["remaining_credits"]
        assert 0 < spent <= 80


# ---- days ----

# Its tasks are given up after a day, others after ten minutes.
LASTING = """
model "lasting" {
    type = "image", price = per_call(8), timeout = 86400, params = { prompt = text{ required, min = 1, max = 100 } },
    routes = { exec = { command = "no-such-command" } },
    simulate = function() return { image = sample.image{} } end,
    results = function(out) return { { url = artifact(out.image) } } end,
}
"""


@pytest.fixture
def before_midnight(make_server, tmp_path, monkeypatch):
    """What `ask` has of a server shortly before a midnight; None when a busy machine has let that pass."""
    models = tmp_path / "catalog" / "models"
    models.mkdir(parents=True)
    (models / "lasting.lua").write_text(LASTING)

    def run(ask):
        # A second is half a minute, since a moment that puts us seven minutes before a midnight.
        now_s = int(time.time())
        midnight_s = (now_s // 86400 + 2) * 86400
        since_s = now_s - (midnight_s - 420 - now_s) // 29
        monkeypatch.setenv("FENNEC_CLOCK_SPEED", f"30@{since_s}")
        answers = ask(make_server(PATIENT + f'catalog = "{models.parent}"\ndrain = 1\nsimulator = {{ seconds = 0 }}\n'
                                  'groups = { default = { price = 1.0, concurrency = 50, requests_per_minute = 0 } }\n'))
        return answers if since_s + (time.time() - since_s) * 30 < midnight_s else None
    return run


def test_a_budget_a_day_begins_anew_at_midnight(before_midnight):
    body = {"model": "lasting", "prompt": "fennec:never"}

    def spend(server):
        client = server.client(make_key(server, "daily", "--test", "--budget-day", "16"))
        return client, [client.post(IMAGE, body) for _ in range(3)]

    client, (held, second, third) = eventually(lambda: before_midnight(spend))
    with client:
        assert (held.status, second.status) == (200, 200)
        words = refused(third, "a day", "16 credits", "begins at", "T00:00:00")
        day = words.split("begins at ")[1][:10]
        fresh = eventually(lambda: (lambda r: r.json() if r.status == 200 else None)(client.post(IMAGE, body)))
        assert time.strftime("%Y-%m-%d", time.gmtime(fresh["created"])) == day
        assert token(client)["remaining_credits"] == 8
        # What yesterday's task gives back is yesterday's.
        held = held.json()["id"]
        assert client.post(f"/v1/tasks/{held}/cancel").status == 200
        assert client.finished(held)["error"]["code"] == "request_cancelled"
        assert token(client)["remaining_credits"] == 8


# ---- calls ----

def test_calls_count_as_well(server):
    model = next(one["model"] for one in server.client().get("/api/pricing").json()["data"]
                 if one["type"] == "llm" and not one["model"].endswith("*"))
    ask = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 100}
    key = make_key(server, "budget-calls", "--test", "--budget", "1000")
    with server.client(key) as client:
        assert client.post(CHAT, ask).status == 200
        used = token(client)["used_credits"]
        assert used > 0
        server.cli("key", "set", key[:16], "--budget", f"{used:.6f}")
        eventually(lambda: token(client)["remaining_credits"] == 0)
        refused(client.post(CHAT, ask))
        refused(client.post("/v1/llm/generations", {"model": model, "prompt": "hello", "max_tokens": 100}))
