"""Requests per minute: beyond it 429 with the time to wait, and nothing accepted or billed."""
import time

from house import QUICK, saying_model


def test_beyond_the_limit_nothing_is_accepted_or_billed(make_server):
    server = make_server('groups = { default = { requests_per_minute = 5 }, free = { requests_per_minute = 0 } }',
                         saying_model("quick"), {"quick": QUICK}).start()
    key = server.key("busy", credits=100)
    with server.client(key) as client, server.client(server.key("other", credits=100)) as other:
        # A second key of the same account is the same account.
        with server.client(server.key("busy")) as twin:
            begun = time.monotonic()
            answers = [client.try_submit("quick") for _ in range(9)]
            answers += [twin.try_submit("quick") for _ in range(9)]
            over = time.monotonic()
        accepted = [answer.json()["id"] for answer in answers if answer.status == 200]
        refused = [answer for answer in answers if answer.status != 200]
        assert [answer.status for answer in answers[:5]] == [200] * 5
        assert len(accepted) <= 5 + (over - begun) / 12, "another one comes every twelve seconds"
        for answer in refused:
            assert answer.status == 429 and answer.error()["type"] == "rate_limit_error", answer
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert other.try_submit("quick").status == 200, "one account's limit is not another's"
    assert sorted(task["id"] for task in server.listed("busy")) == sorted(accepted)
    entries = server.cli("account", "show", "busy", "--ledger", "--json")
    assert entries.count('"reserve"') == len(accepted)


def test_no_limit_is_no_limit(make_server):
    server = make_server('groups = { default = { requests_per_minute = 0 } }', saying_model("quick"), {"quick": QUICK}).start()
    with server.client(server.key("busy", test=True)) as client:
        assert {client.try_submit("quick").status for _ in range(200)} == {200}
