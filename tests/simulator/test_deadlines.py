"""How tasks end when they do not succeed: time limits, every error code, and what another attempt mends."""
from house import GATE, ROOT, eventually, saying_model

CODES = ["content_policy_violation", "invalid_parameters", "image_processing_error", "image_dimension_mismatch",
         "request_cancelled", "generation_failed", "generation_failed_no_content", "service_error", "generation_timeout",
         "resource_exhausted", "quota_exceeded", "service_unavailable", "resource_not_found", "submission_unknown",
         "unknown_error"]


def kinds(shown):
    return [event["kind"] for event in shown["events"]]


def test_what_never_ends_is_ended_at_its_time_limit(make_server):
    models = saying_model("brief", "per_call(7)", timeout=1) + saying_model("long", "per_call(7)")
    server = make_server("simulator = { seconds = 0.1 }", models).start()
    with server.client(server.key("one", test=True)) as client:
        before = client.account()
        task = client.submit("brief", prompt="fennec:never")
        assert client.failed(task)["code"] == "generation_timeout"
        assert client.account() == before
        assert client.completed(client.submit("long", prompt="ends"))
    shown = server.shown(task)
    assert [attempt["state"] for attempt in shown["attempts"]] == ["failed"], shown
    assert kinds(shown) == ["accepted", "dispatched", "failed"]


def test_a_file_over_a_built_in_one_changes_its_models(make_server):
    """sora.lua of one's own takes the place of the built-in file: here with another time limit."""
    server = make_server("simulator = { seconds = 0.1 }")
    server.models(saying_model("sora-2-character", "per_call(1)", timeout=1), "sora")
    prices = (ROOT / "lua" / "prices.lua").read_text().splitlines(keepends=True)
    (server.catalog / "prices.lua").write_text("".join(line for line in prices if "sora-2-character" not in line))
    server.start()
    with server.client(server.key("one", test=True)) as client:
        assert client.failed(client.submit("sora-2-character", prompt="fennec:never"))["code"] == "generation_timeout"


def test_a_local_command_that_hangs_is_ended_at_its_time_limit(make_server, gates):
    server = make_server("", saying_model("gate", "per_call(7)", timeout=1), {"gate": GATE}).start()
    with server.client(server.key("one", credits=7)) as client:
        def progress():
            task = client.submit("gate", prompt=gates("never"))
            assert client.failed(task)["code"] == "generation_timeout"
            return client.task(task)["progress"]

        eventually(lambda: progress() == 40)  # one that came to say so within its second
        assert client.credits() == 7
    server.assert_nothing_left()


def test_every_error_code_can_be_asked_for(make_server):
    server = make_server("simulator = { seconds = 0.1 }", saying_model("any", "per_call(7)")).start()
    with server.client(server.key("one", test=True)) as client:
        before = client.account()
        tasks = {code: client.submit("any", prompt=f"Please, fennec:error={code}.") for code in CODES}
        for code, task in tasks.items():
            error = client.failed(task)
            assert error["code"] == code and error["type"] == "task_error" and error["message"], error
            assert 0 < client.task(task)["progress"] < 100
        assert client.account() == before


def test_a_flaky_task_completes_with_its_second_attempt(make_server):
    server = make_server("simulator = { seconds = 0.1 }", saying_model("any", "per_call(7)")).start()
    with server.client(server.key("one", test=True)) as client:
        task = client.submit("any", prompt="fennec:flaky")
        seen = []

        def watch():
            state = client.task(task)
            seen.append(state["progress"])
            return state["status"] == "completed"

        eventually(watch)
        assert seen == sorted(seen)
        assert client.task(task)["usage"]["credits_charged"] == 7
    shown = server.shown(task)
    assert [attempt["state"] for attempt in shown["attempts"]] == ["failed", "succeeded"], shown
    assert [attempt["number"] for attempt in shown["attempts"]] == [1, 2]
    assert kinds(shown) == ["accepted", "dispatched", "retried", "dispatched", "completed"]
