"""Concurrency of accounts and providers: beyond it tasks wait in line, none is refused, and every account has its turn."""
import pytest

from house import GATE, HELD_S, QUICK, eventually, saying_model

MODELS = saying_model("gate", timeout=HELD_S)
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
    with server.client(server.key("burst", test=True)) as burst, server.client(server.key("other", test=True)) as other, \
            server.client(server.key("first", test=True)) as first:
        held = [first.submit("gate", prompt="fennec:never") for _ in range(2)]  # nothing begins before all are there
        eventually(lambda: [first.status(i) for i in held] == ["processing"] * 2)
        for _ in range(100):
            burst.submit("gate", prompt="x")
        few = [other.submit("gate", prompt="x") for _ in range(5)]
        for task in held:
            assert first.request("POST", f"/v1/tasks/{task}/cancel").status == 200
        assert all(other.completed(i) for i in few)
        eventually(lambda: all(task["status"] == "completed" for task in server.listed("burst")))
    theirs = sorted(task["started"] for task in server.listed("burst"))
    ours = sorted(task["started"] for task in server.listed("other"))
    assert len(theirs) == 100 and theirs[-1] > ours[-1], "the burst had ended before: the test shows nothing"
    between = [started for started in theirs if ours[0] <= started <= ours[-1]]
    assert len(between) <= len(ours) + 2, (ours, between)


def test_a_keys_own_limit_leaves_the_accounts_places_to_its_other_keys(make_server, gates):
    server = make_server('groups = { default = { concurrency = 3 } }\nproviders = { exec = { concurrency = 10 } }\ndrain = 0',
                         MODELS, COMMANDS).start()
    narrow, wide = server.key("one", credits=100, concurrency=1), server.key("one")
    with server.client(narrow) as first:
        ours = [first.submit("gate", prompt=gates("all")) for _ in range(3)]
        eventually(lambda: [first.status(i) for i in ours] == ["processing"] + ["pending"] * 2)
        eventually(lambda: [first.position(i) for i in ours] == [None, 1, 2])
        with server.client(wide) as second:
            theirs = [second.submit("gate", prompt=gates("all")) for _ in range(3)]
            eventually(lambda: [second.status(i) for i in theirs] == ["processing"] * 2 + ["pending"])
            eventually(lambda: second.position(theirs[2]) == 1)
    assert server.kill() == -9
    server.configure('groups = { default = { concurrency = 9 } }\nproviders = { exec = { concurrency = 10 } }\ndrain = 0')
    server.start()  # the limit is read with the tasks: now it alone keeps two of the key's three waiting
    with server.client(wide) as client:
        eventually(lambda: [client.status(i) for i in theirs] == ["processing"] * 3)
        eventually(lambda: sorted(client.status(i) for i in ours) == ["pending"] * 2 + ["processing"])
        gates.open("all")
        assert all(client.completed(i) for i in ours + theirs)
    last = [server.shown(i)["attempts"][-1] for i in ours]
    times = sorted((attempt["started"], attempt["ended"]) for attempt in last)
    assert all(earlier[1] <= later[0] for earlier, later in zip(times, times[1:])), times


def test_a_groups_limit_is_all_its_accounts_together(make_server, gates):
    settings = 'groups = { crowd = { group_concurrency = %d } }\nproviders = { exec = { concurrency = 10 } }'
    server = make_server(settings % 2, MODELS, COMMANDS).start()
    keys = [server.key(name, credits=100, group="crowd") for name in ("one", "two")]
    with server.client(keys[0]) as one, server.client(keys[1]) as two, \
            server.client(server.key("other", credits=100)) as other:
        tasks = [(client, client.submit("gate", prompt=gates("all"))) for client in (one, one, one, two, two)]
        outside = other.submit("gate", prompt=gates("all"))

        def states():
            return sorted(client.status(i) for client, i in tasks)
        eventually(lambda: other.status(outside) == "processing" and states() == ["pending"] * 3 + ["processing"] * 2)
        server.configure(settings % 4)
        server.reload()
        eventually(lambda: states() == ["pending"] + ["processing"] * 4)
        gates.open("all")
        assert all(client.completed(i) for client, i in tasks) and other.completed(outside)


def test_a_thousand_tasks_of_one_do_not_keep_ten_of_another_waiting(make_server):
    """By the order in which they begin: ten of B among not many more than ten of A."""
    server = make_server('simulator = { seconds = 0.4 }\nproviders = { simulator = { concurrency = 4 } }\ndrain = 0\n'
                         'groups = { default = { requests_per_minute = 0 } }', MODELS, COMMANDS).start()
    with server.client(server.key("a", test=True)) as a, server.client(server.key("b", test=True)) as b:
        for _ in range(1000):
            a.submit("gate", prompt="x")
        few = [b.submit("gate", prompt="x") for _ in range(10)]
        assert all(b.completed(i) for i in few)
        begun = [task["started"] for task in server.listed("a") if task["started"]]
        assert len(begun) < 1000, "A's had all begun before: the test shows nothing"
    ours = sorted(task["started"] for task in server.listed("b"))
    assert sum(ours[0] <= started <= ours[-1] for started in begun) <= 20


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

        def accepted():  # the place is free a moment after the end is shown
            answer = client.try_submit("gate", prompt=gates("e"))
            return answer.json()["id"] if answer.status == 200 else None

        tasks.append(eventually(accepted))
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
