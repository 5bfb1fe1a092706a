"""The command line beside a running server: what it changes holds with the next request, and nobody is locked out."""
import json
import os
import re
import threading

from house import QUICK, Threads, saying_model

WRITES = int(os.environ.get("LEDGER_WRITES", "60"))
MODELS, COMMANDS = saying_model("quick", "per_call(2)"), {"quick": QUICK}
SETTINGS = "simulator = { seconds = 0 }\ngroups = { default = { requests_per_minute = 0 } }"


def test_a_key_works_as_soon_as_it_is_made_and_no_longer_than_that(make_server):
    server = make_server(SETTINGS, MODELS, COMMANDS).start()
    for _ in range(3):
        key = server.key("one", credits=2)
        with server.client(key) as client:
            assert client.completed(client.submit("quick"))
            server.cli("key", "revoke", valid_prefixes(server)[0])
            assert valid_prefixes(server) == []
            answer = client.try_submit("quick")
            assert answer.status == 401 and answer.error()["code"] == "invalid_api_key", answer
            assert client.get("/v1/account/credits").status == 401


def valid_prefixes(server):
    keys = json.loads(server.cli("key", "list", "--account", "one", "--json"))
    return [key["prefix"] for key in keys if not key["revoked"]]


def test_credits_count_from_the_moment_they_are_given_or_taken(make_server):
    server = make_server(SETTINGS, MODELS, COMMANDS).start()
    with server.client(server.key("one")) as client:
        for _ in range(2):
            assert client.try_submit("quick").status == 402
            server.cli("account", "credit", "one", "2")
            assert client.credits() == 2
            assert client.submit("quick")
        server.cli("account", "credit", "one", "2")
        server.take("one", "0.000001")
        assert client.try_submit("quick").status == 402
        server.take("one", "5", code=1)
        assert client.credits() == 1.999999


def test_the_command_line_sees_the_same_task_as_the_client(make_server):
    server = make_server(SETTINGS, MODELS, COMMANDS).start()
    with server.client(server.key("one", credits=4)) as client:
        task = client.completed(client.submit("quick"))
    shown = server.shown(task["id"])
    assert (shown["status"], shown["progress"], shown["model"]) == ("completed", 100, "quick")
    assert float(shown["credits_charged"]) == 2 and [entry["id"] for entry in server.listed("one")] == [task["id"]]
    assert shown["account"] == server.listed("one")[0]["account"] == "one"


def test_many_writers_at_once_lock_nobody_out(make_server):
    """Three command lines write the ledger as fast as they can while clients submit: LEDGER_WRITES times at least."""
    server = make_server(SETTINGS, MODELS, COMMANDS).start()
    key = server.key("busy", test=True)
    server.key("paid", credits="0.000001")
    refused, done, failures, written = [], [0], [], []

    def submit(client, stopped):
        while not stopped.is_set():
            answer = client.try_submit("quick", prompt="x")
            if answer.status == 200:
                done[0] += 1
            else:
                refused.append(answer)
            stopped.wait(0.005)

    def write():
        try:
            turn = 0
            while turn < WRITES // 3 or (done[0] <= 20 and not refused and not load.failures):
                server.cli("account", "credit", "paid", "0.5")
                written.append(turn)
                turn += 1
        except BaseException as failure:  # pylint: disable=broad-except
            failures.append(failure)

    load = Threads(server, key, 2, submit)
    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    load.stop()
    assert (failures, refused) == ([], []) and done[0] > 20
    account = json.loads(server.cli("account", "show", "paid", "--ledger", "--json"))
    assert float(account["credits"]) == 0.000001 + 0.5 * len(written)
    assert len(account["ledger"]) == 1 + len(written)
    assert re.findall(r"^\S+Z (?:warn|error) .*$", server.log_text(), re.M) == []
