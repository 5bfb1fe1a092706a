"""SIGHUP: new settings and models under load without a dropped request; a mistake in them changes nothing."""
import collections
import os
import re
import signal

from house import GATE, HELD_S, QUICK, Threads, eventually, saying_model

COMMANDS = {"gate": GATE, "quick": QUICK, "fresh": QUICK}
SETTINGS = "simulator = {{ seconds = 0 }}\ngroups = {{ default = {{ price = {price}, concurrency = {concurrency}, requests_per_minute = 0 }} }}"


def settings(price=1.0, concurrency=50):
    return SETTINGS.format(price=price, concurrency=concurrency)


def test_prices_and_models_change_under_load(make_server):
    server = make_server(settings(), saying_model("quick"), COMMANDS).start()
    test, live = server.key("load", test=True), server.key("one", credits=100)
    statuses = collections.Counter()

    def submit(client, stopped):
        while not stopped.is_set():
            statuses[client.try_submit("quick", prompt="x").status] += 1

    load = Threads(server, test, 3, submit)
    with server.client(live) as client:
        for turn in range(1, 7):
            seen = statuses[200]
            eventually(lambda: statuses[200] > seen + 10)
            server.configure(settings(price=turn / 2))
            server.models(saying_model("quick") + saying_model("fresh", f"per_call({turn})"))
            assert " reloaded " in server.reload()
            usage = client.task(client.submit("quick"))["usage"]
            assert usage["credits_reserved"] == turn / 2
            assert client.task(client.submit("fresh"))["usage"]["credits_reserved"] == turn * turn / 2
    load.stop()
    assert set(statuses) == {200}, statuses
    eventually(lambda: not [task for task in server.listed("load") if task["status"] == "pending"])
    assert {task["status"] for task in server.listed("load")} <= {"completed", "processing"}


def test_a_task_keeps_the_price_it_was_accepted_at(make_server, gates):
    server = make_server(settings(), saying_model("gate", "per_call(3)", HELD_S), COMMANDS).start()
    with server.client(server.key("one", credits=10)) as client:
        tasks = [client.submit("gate", prompt=gates("it")) for _ in range(2)]
        server.configure(settings(price=3))
        server.reload()
        gates.open("it")
        assert [client.completed(i)["usage"]["credits_charged"] for i in tasks] == [3, 3]
        assert client.credits() == 4


def test_new_limits_hold_for_those_who_wait(make_server, gates):
    server = make_server(settings(concurrency=1), saying_model("gate", timeout=HELD_S), COMMANDS).start()
    with server.client(server.key("one", credits=10)) as client:
        tasks = [client.submit("gate", prompt=gates("it")) for _ in range(6)]
        eventually(lambda: client.status(tasks[0]) == "processing")
        eventually(lambda: [client.position(i) for i in tasks] == [None, 1, 2, 3, 4, 5])
        server.configure(settings(concurrency=4) + "\nproviders = { exec = { concurrency = 10 } }")
        server.reload()
        eventually(lambda: [client.status(i) for i in tasks] == ["processing"] * 4 + ["pending"] * 2)
        eventually(lambda: [client.position(i) for i in tasks[4:]] == [1, 2])
        gates.open("it")
        assert all(client.completed(i) for i in tasks)


def test_a_model_that_is_gone_fails_its_waiting_tasks_and_lets_the_running_end(make_server, gates):
    models = saying_model("gate", timeout=HELD_S) + saying_model("quick")
    server = make_server(settings(concurrency=1), models, COMMANDS).start()
    with server.client(server.key("one", credits=10)) as client:
        running, waiting = client.submit("gate", prompt=gates("it")), client.submit("gate", prompt=gates("it"))
        eventually(lambda: client.status(running) == "processing")
        server.models(saying_model("quick"))
        server.reload()
        assert client.try_submit("gate", prompt="x").error()["code"] == "model_not_found"
        gates.open("it")
        assert client.completed(running)
        assert client.failed(waiting)["code"] == "resource_not_found"
        assert client.credits() == 9


def test_a_mistake_keeps_the_old_settings_and_names_its_place(make_server):
    server = make_server(settings(price=2), saying_model("quick"), COMMANDS).start()
    server.errors_expected = True
    with server.client(server.key("one", credits=1000)) as client:
        def price():
            return client.task(client.submit("quick"))["usage"]["credits_reserved"]

        for mistake, place in (("groups = {\n", "config.lua:"), ("colour = 'red'\n", "config.lua:3"),
                               ("simulator = { seconds = 'soon' }", "config.lua:3"), ("listen = 'nowhere'", "config.lua:3"),
                               ("error('no')", "config.lua:3")):
            server.configure(mistake)
            line = server.reload()
            assert "reload refused" in line and place in line, line
            assert price() == 2
        server.configure(settings(price=5))
        for mistake, place in (("model 'quick' {", "own.lua:1"), ("\n\nmodel 'quick' { type = 'smell' }", "own.lua:3"),
                               (saying_model("quick").replace("per_call(1)", "per_call(-1)"), "own.lua:"),
                               ("while true do end", "own.lua:1")):
            server.models(mistake)
            line = server.reload()
            assert "reload refused" in line and place in line, line
            assert price() == 2
        server.models(saying_model("quick"))
        assert " reloaded " in server.reload()
        assert price() == 5


def test_what_leads_nowhere_is_said_at_the_start_and_at_a_reload(make_server):
    """As `fennec doctor` says it: the server goes on without."""
    server = make_server('providers = { fall = { key = "fake-key" } }').start()

    def said():
        return re.findall(r"warn +a setting leads nowhere +what=(\S+) reason=\"?(.*?)\"?$", server.log_text(), re.M)

    fall = ("fall", "configured, but it has no adapter: there is no providers/fall.lua")
    assert said() == [fall]
    server.configure('providers = { fal = { key = env "NOBODY_SETS_THIS" } }\n'
                     'groups = { gold = { models = { "nope" } } }')
    assert " reloaded " in server.reload()
    eventually(lambda: said() == [fall, ("fal", "configured without a key"), ("groups.gold.models", "there is no model `nope`")])
    assert "fake-key" not in server.log_text()


def test_an_end_is_heard_before_another_reload(make_server):
    """SIGHUPs that keep coming would keep the server from its end, since theirs is the lower number."""
    server = make_server().start()
    text = server.config.read_text()
    server.config.unlink()
    os.mkfifo(server.config)
    server.process.send_signal(signal.SIGHUP)
    with open(server.config, "w", encoding="utf-8") as pipe:  # once it reads there, it is at work on the first
        server.process.send_signal(signal.SIGHUP)
        server.process.send_signal(signal.SIGTERM)
        server.config.unlink()
        server.configure()
        pipe.write(text)
    assert server.reap() == 0
    assert len(server.reloads()) == 1


def test_what_needs_a_restart_is_said(make_server):
    server = make_server(settings()).start()
    server.configure(settings() + "\nhttp = { threads = 7, idle = 50 }")
    server.reload()
    told = server.log_text()
    assert "setting=http.threads" in told and "setting=http.idle" in told
    server.configure(settings())
    server.reload()
    assert server.log_text().count("needs a restart") == 2, "what is in force again needs none"


MEASURED = """model "measured" {{
    type = "image", summary = "Says how long it took", estimated = 1, timeout = 3600,
    price = per_second{{ {price}, field = "duration" }},
    params = {{ prompt = text{{ required }}, duration = integer{{ default = 10, min = 1, max = 10 }} }},
    routes = {{ exec = {{ command = "gate" }} }},
    results = function(out) return {{ {{ said = out.said }} }}, {{ seconds = 4 }} end,
}}
"""


def test_what_was_really_made_is_billed_at_the_price_of_the_acceptance(make_server, gates):
    """Ten seconds are reserved and four delivered: four tenths of the reservation, whatever a second costs by now."""
    server = make_server(settings(concurrency=1), MEASURED.format(price=1), COMMANDS).start()
    with server.client(server.key("one", credits=40)) as client:
        tasks = [client.submit("measured", prompt=gates(name)) for name in "abcd"]
        eventually(lambda: client.status(tasks[0]) == "processing")
        charged = []
        for name, task, change in zip("abcd", tasks, (None, {"price": 2}, {"price": 0.5}, {"price": 0})):
            if change:
                server.configure(settings(concurrency=1, **change))
            else:
                server.models(MEASURED.format(price=3))
            server.reload()
            gates.open(name)
            charged.append(client.completed(task)["usage"]["credits_charged"])
        assert charged == [4, 4, 4, 4]
        assert client.account() == {"remaining_credits": 24, "used_credits": 16}
