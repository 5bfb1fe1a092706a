"""Names whose resolution hangs: everything else goes on, and a stop is still clean."""
from faults import NEVER, Client, after, eventually


def test_a_name_that_is_never_resolved_holds_up_nothing_else(make_stage):
    stage = make_stage()
    port = stage.receiver.port
    stage.server.configure(stage.server.settings.replace("fetch = { allow = {", f'fetch = {{ allow = {{ "hangs.example:{port}", ')
                           .replace("drain = 200", "drain = 20"))
    stage.start()
    stage.control.hold_names(True)
    stage.control.arm("resolve", NEVER, 0)
    with Client(stage.server, stage.key) as client, Client(stage.server, stage.test_key) as tester:
        held = stage.submit(client, "clip", "/v1/videos/generations", callback_url=f"http://hangs.example:{port}/held")
        assert stage.final(client, held)["status"] == "completed", "the task itself needs no name"
        eventually(lambda: stage.control.seen("resolve") > 0)  # the name is being resolved
        for _ in range(3):
            for who, task in stage.submit_all(client, tester):
                assert stage.final(who, task)["status"] == "completed"
        # Also when the try is over, whose name is still being resolved.
        eventually(lambda: after.rows(stage.server.data, "SELECT max(tries) FROM callback")[0][0] >= 2)
        assert client.get("/healthz").status == 200
        waiting = after.rows(stage.server.data, "SELECT count(*) FROM callback WHERE url LIKE '%/held' AND state = 1")
        assert waiting[0][0] == 1
    assert stage.server.stop() == 0, "while a name is still being resolved"
    stage.control.hold_names(False)
    after.assert_acknowledged_tasks_are_final(stage.server.data, list(stage.kept.acknowledged))
