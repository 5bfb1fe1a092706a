"""Concurrency of accounts and providers: beyond it tasks wait in line, none is refused, and every account has its turn."""
import pytest

from house import GATE, QUICK, eventually, saying_model

MODELS = saying_model("gate")
COMMANDS = {"gate": GATE}


def test_an_account_runs_as_many_as_its_group_may(make_server, gates):
    server = make_server('groups = { pair = { concurrency = 2 } }\nproviders = { exec = { concurrency = 10 } }',
                         MODELS, COMMANDS).start()
    with server.client(server.key("one", credits=100, group="pair")) as client:
        names = list("abcdefg")
        ids = [client.submit("gate", prompt=gates(name)) for name in names]
        eventually(lambda: [client.status(i) for i in ids] == ["processing"] * 2 + ["pending"] * 5)
        for opened in range(5):
            eventually(lambda: [client.position(i) for i in ids[2 + opened:]] == list(range(1, 6 - opened)))
            gates.open(names[opened])
            client.completed(ids[opened])
            eventually(lambda: client.status(ids[2 + opened]) == "processing")
            assert [client.status(i) for i in ids[1 + opened:3 + opened]] == ["processing"] * 2
            assert client.position(ids[2 + opened]) is None
        for name in names:
            gates.open(name)
        assert [client.completed(i)["status"] for i in ids]


def test_a_provider_runs_as_many_as_it_may_for_all_accounts_together(make_server, gates):
    server = make_server('providers = { exec = { concurrency = 2 } }', MODELS, COMMANDS).start()
    with server.client(server.key("one", credits=100)) as one, server.client(server.key("two", credits=100)) as two:
        first = [one.submit("gate", prompt=gates("first")) for _ in range(2)]
        eventually(lambda: [one.status(i) for i in first] == ["processing"] * 2)
        waiting = [(client, client.submit("gate", prompt=gates("rest"))) for client in (one, two) for _ in range(3)]
        eventually(lambda: [client.position(i) for client, i in waiting] == [1, 2, 3, 1, 2, 3])
        gates.open("first")
        eventually(lambda: sorted(client.status(i) for client, i in waiting) == ["pending"] * 4 + ["processing"] * 2)
        # One of each: the free slots went around.
        assert [client.status(i) for client, i in waiting] == ["processing", "pending", "pending"] * 2
        gates.open("rest")
        assert all(client.completed(i) for client, i in waiting)


def test_an_accounts_burst_does_not_keep_another_waiting(make_server):
    server = make_server('simulator = { seconds = 0.05 }\nproviders = { simulator = { concurrency = 2 } }',
                         MODELS, COMMANDS).start()
    with server.client(server.key("burst", test=True)) as burst, server.client(server.key("other", test=True)) as other:
        for _ in range(100):
            burst.submit("gate", prompt="x")
        few = [other.submit("gate", prompt="x") for _ in range(5)]
        assert all(other.completed(i) for i in few)
        eventually(lambda: all(task["status"] == "completed" for task in server.listed("burst")))
    theirs = sorted(task["started"] for task in server.listed("burst"))
    ours = sorted(task["started"] for task in server.listed("other"))
    assert len(theirs) == 100 and theirs[-1] > ours[-1], "the burst had ended before: the test shows nothing"
    between = [started for started in theirs if ours[0] <= started <= ours[-1]]
    assert len(between) <= len(ours) + 2, (ours, between)


def test_a_waiting_task_can_be_cancelled_and_the_line_moves_up(make_server, gates):
    server = make_server('groups = { default = { concurrency = 1 } }', MODELS, COMMANDS).start()
    with server.client(server.key("one", credits=10)) as client:
        ids = [client.submit("gate", prompt=gates("all")) for _ in range(4)]
        eventually(lambda: client.status(ids[0]) == "processing")
        eventually(lambda: [client.position(i) for i in ids[1:]] == [1, 2, 3])
        answer = client.request("POST", f"/v1/tasks/{ids[1]}/cancel")
        if answer.status == 404:
            gates.open("all")
            pytest.skip("this build does not serve POST /v1/tasks/{id}/cancel")
        assert answer.status == 200, answer
        assert client.failed(ids[1])["code"] == "request_cancelled"
        assert [client.position(i) for i in ids[2:]] == [1, 2]
        assert client.credits() == 7
        gates.open("all")
        assert all(client.completed(i) for i in ids[2:])


def test_beyond_the_bound_of_open_tasks_nothing_is_accepted(make_server, gates):
    server = make_server('limits = { open_tasks = 4 }\ngroups = { default = { concurrency = 1 } }', MODELS, COMMANDS).start()
    with server.client(server.key("one", credits=10)) as client:
        tasks = [client.submit("gate", prompt=gates(name)) for name in "abcd"]
        answer = client.try_submit("gate", prompt=gates("e"))
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, answer
        assert client.credits() == 6 and len(server.listed("one")) == 4
        gates.open("a")
        client.completed(tasks[0])
        tasks.append(client.submit("gate", prompt=gates("e")))
        for name in "bcde":
            gates.open(name)
        assert all(client.completed(i) for i in tasks)


def test_few_file_descriptors_slow_the_work_but_end_nothing(make_server):
    """Each command takes several descriptors; what cannot be opened now is tried again."""
    server = make_server('limits = { open_tasks = 1000 }\nproviders = { exec = { concurrency = 40 } }\n'
                         'http = { threads = 1, connections = 8 }', saying_model("quick"), {"quick": QUICK})
    server.files_max = 72
    server.start()
    server.errors_expected = True
    with server.client(server.key("one", credits=100)) as client:
        tasks = [client.submit("quick") for _ in range(40)]
        ended = [client.final(i) for i in tasks]
        assert {task["status"] for task in ended} <= {"completed", "failed"}
        completed = sum(task["status"] == "completed" for task in ended)
        assert {task["error"]["code"] for task in ended if task["error"]} <= {"resource_exhausted", "service_unavailable"}
        assert client.account() == {"remaining_credits": 100 - completed, "used_credits": completed}
        assert client.completed(client.submit("quick")), "afterwards all is well"
