"""Credits: reserved with the task, settled or returned with its end, and never more than there are."""
import json

import pytest

from house import FAILING, GATE, HELD_S, QUICK, Threads, eventually, saying_model

MODELS = (saying_model("gate", "per_call(2.5)", HELD_S) + saying_model("quick", "per_call(1)") +
          saying_model("failing", "per_call(4)") +
          saying_model("tiny", 'per_image{ 0.000003, field = "num_outputs" }'))
COMMANDS = {"gate": GATE, "quick": QUICK, "failing": FAILING, "tiny": QUICK}


@pytest.fixture
def server(make_server):
    return make_server('simulator = { seconds = 0.2 }\n'
                       'groups = { half = { price = 0.5 }, third = { price = 0.333333 } }\n'
                       'providers = { exec = { concurrency = 4 } }', MODELS, COMMANDS).start()


def test_a_reservation_shows_at_once_and_is_settled_at_the_end(server, gates):
    with server.client(server.key("one", credits=10)) as client:
        task = client.submit("gate", prompt=gates("it"))
        assert client.account() == {"remaining_credits": 7.5, "used_credits": 0}
        usage = client.task(task)["usage"]
        assert (usage["credits_reserved"], usage["credits_charged"], usage["credits_refunded"]) == (2.5, 0, 0)
        gates.open("it")
        usage = client.completed(task)["usage"]
        assert (usage["credits_reserved"], usage["credits_charged"], usage["credits_refunded"]) == (2.5, 2.5, 0)
        assert client.account() == {"remaining_credits": 7.5, "used_credits": 2.5}


def test_a_failure_gives_everything_back(server):
    with server.client(server.key("one", credits=4)) as client:
        error = client.failed(client.submit("failing"))
        assert error == {"code": "generation_failed", "message": "It was not meant to be.", "type": "task_error"}
        assert client.account() == {"remaining_credits": 4, "used_credits": 0}


@pytest.mark.parametrize("group, model, count, price", [
    ("default", "quick", 1, "1"), ("half", "quick", 1, "0.5"), ("third", "quick", 1, "0.333333"),
    ("default", "tiny", 1, "0.000003"),
    ("half", "tiny", 1, "0.000002"),     # 1.5 microcredits: half of one is one
    ("third", "tiny", 1, "0.000001"),    # 0.999999
    ("third", "tiny", 1000, "0.001"),    # 999.999
    ("half", "tiny", 3, "0.000005"),     # 4.5: rounded once, not picture by picture
])
def test_the_balance_must_cover_the_price_to_the_last_microcredit(server, group, model, count, price):
    micro = round(float(price) * 1e6)
    enough, short = f"{micro / 1e6:.6f}", f"{(micro - 1) / 1e6:.6f}"
    with server.client(server.key("enough", credits=enough, group=group)) as client:
        task = client.submit(model, num_outputs=count)
        assert client.credits() == 0
        usage = client.completed(task)["usage"]
        assert usage["credits_charged"] == float(price) and usage["user_group"] == group
    with server.client(server.key("short", credits=short if micro > 1 else None, group=group)) as client:
        answer = client.try_submit(model, num_outputs=count)
        assert answer.status == 402 and answer.error()["type"] == "insufficient_quota", answer
        assert client.account() == {"remaining_credits": float(short), "used_credits": 0}
        assert server.listed("short") == []


def test_test_keys_never_touch_the_live_book(server):
    live, test = server.key("one", credits=3), server.key("one", test=True)
    with server.client(live) as client, server.client(test) as tester:
        before = server.listed("one"), client.account()
        tester.completed(tester.submit("gate", prompt="x"))
        tester.failed(tester.submit("quick", prompt="fennec:error"))
        assert (before[0], client.account()) == ([], before[1])
        assert tester.account()["used_credits"] == 2.5
        # Neither key sees through the other's eyes what the other has spent.
        client.completed(client.submit("quick"))
        assert (client.account()["used_credits"], tester.account()["used_credits"]) == (1, 2.5)
    entries = json.loads(server.cli("account", "show", "one", "--ledger", "--json"))["ledger"]
    live_entries = [(entry["kind"], float(entry["credits"])) for entry in entries if entry["book"] == "live"]
    assert live_entries == [("credit", 3), ("reserve", -1), ("settle", 0)]


def test_the_last_credits_go_to_as_many_as_they_cover(server):
    key = server.key("race", credits=25)
    accepted, refused = [], []

    def race(client, _):
        for _ in range(6):
            answer = client.try_submit("quick")
            (accepted if answer.status == 200 else refused).append(answer)

    Threads(server, key, 8, race).join()
    assert len(accepted) == 25 and {answer.status for answer in refused} == {402}
    with server.client(key) as client:
        assert client.credits() == 0
        for answer in accepted:
            client.completed(answer.json()["id"])
        assert client.account() == {"remaining_credits": 0, "used_credits": 25}
    assert [row["status"] for row in server.ledger_findings()] == ["ok"]


def test_returned_credits_can_be_spent_again(server):
    key = server.key("round", credits=4)
    with server.client(key) as client:
        client.failed(client.submit("failing"))
        client.failed(client.submit("failing"))
        assert client.completed(client.submit("quick"))
        eventually(lambda: client.account() == {"remaining_credits": 3, "used_credits": 1})
