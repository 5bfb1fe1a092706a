"""GET /v1/account/usage: the sums are those of the tasks, whichever way they are grouped."""
import csv
import io
import time

import pytest

from catalogue import IMAGE, VIDEO
from client import eventually

USAGE = "/v1/account/usage"
PICTURE = {"model": "phota-image", "prompt": "x"}               # 8 credits
FILM = {"model": "seedance-2.0-text-to-video", "prompt": "x"}   # 25 credits
SUMS = ["tasks", "completed", "failed", "credits_charged", "credits_refunded", "credits_returned"]


def usage(client, query=""):
    response = client.get(f"{USAGE}?{query}")
    assert response.status == 200, response
    report = response.json()
    assert list(report) == ["object", "data", "total", "has_more", "next"] and report["object"] == "list"
    assert list(report["total"]) == SUMS
    return report


def sums(row):
    return tuple(row[name] for name in SUMS)


@pytest.fixture(scope="module")
def account(server):
    """Two keys: one with three pictures, of which one failed, and one that never ends; one with a film."""
    keys = [server.key("usage", test=True, name="pictures"), server.key("usage", test=True, name="films")]
    with server.client(keys[0]) as pictures, server.client(keys[1]) as films:
        pictures.completed(IMAGE, PICTURE)
        pictures.completed(IMAGE, PICTURE)
        assert pictures.run(IMAGE, {**PICTURE, "prompt": "fennec:error"})["status"] == "failed"
        pictures.submit(IMAGE, {**PICTURE, "prompt": "fennec:never"})
        films.completed(VIDEO, FILM)
        yield pictures, keys


def test_nothing_was_used(server):
    with server.client(server.key("usage-none", test=True)) as client:
        report = usage(client)
        assert (report["data"], report["has_more"], report["next"]) == ([], False, None)
        assert sums(report["total"]) == (0,) * 6


def test_by_day(account):
    client, _ = account
    report = usage(client)
    assert [list(row) for row in report["data"]] == [["day", *SUMS]] * len(report["data"])
    assert {row["day"] for row in report["data"]} <= {time.strftime("%Y-%m-%d", time.gmtime(time.time() - back))
                                                      for back in (0, 3600)}
    assert sums(report["total"]) == (5, 3, 1, 41, 8, 0)
    assert [sum(row[name] for row in report["data"]) for name in SUMS] == list(sums(report["total"]))


def test_by_model_and_key(account):
    client, keys = account
    rows = {(row["model"], row["key"]["prefix"], row["key"]["name"]): sums(row)
            for row in usage(client, "by=model,key")["data"]}
    assert rows == {("phota-image", keys[0][:16], "pictures"): (4, 2, 1, 16, 8, 0),
                    ("seedance-2.0-text-to-video", keys[1][:16], "films"): (1, 1, 0, 25, 0, 0)}
    assert [list(row)[:2] for row in usage(client, "by=key")["data"]] == [["key", "tasks"]] * 2


def test_filters(account):
    client, keys = account
    assert sums(usage(client, "model=phota-image")["total"]) == (4, 2, 1, 16, 8, 0)
    assert sums(usage(client, "key=films")["total"]) == (1, 1, 0, 25, 0, 0)
    assert sums(usage(client, f"key={keys[0][:16]}&by=model")["total"]) == (4, 2, 1, 16, 8, 0)
    assert sums(usage(client, "model=phota-image&key=films")["total"]) == (0,) * 6
    assert sums(usage(client, "from=2020-01-01&to=2020-12-31")["total"]) == (0,) * 6


def test_rows_come_in_pages(account):
    client, _ = account
    whole = usage(client, "by=day,model,key")["data"]
    rows, after = [], ""
    while after is not None:
        page = usage(client, f"by=day,model,key&limit=1{after and '&after=' + after}")
        assert len(page["data"]) == 1
        assert sums(page["total"]) == (5, 3, 1, 41, 8, 0)  # of all, not of the page
        rows += page["data"]
        after = page["next"]
        assert page["has_more"] is (after is not None)
    assert rows == whole and len(rows) >= 2


def test_csv(account):
    client, keys = account
    response = client.get(f"{USAGE}?by=model,key&format=csv")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(response.body.decode(), newline=""))) == [
        ["model", "key_prefix", "key_name", *SUMS],
        ["phota-image", keys[0][:16], "pictures", "4", "2", "1", "16", "8", "0"],
        ["seedance-2.0-text-to-video", keys[1][:16], "films", "1", "1", "0", "25", "0", "0"]]
    assert response.headers["X-Next"] is None
    assert client.get(f"{USAGE}?by=model&format=csv&limit=1").headers["X-Next"] == "0.0.phota-image"


@pytest.mark.parametrize("query, param", [
    ("by=hour", "by"), ("by=day,", None), ("by=day;key", "by"), ("from=x", "from"), ("to=2026-13-01", "to"),
    ("from=2026-01-02&to=2026-01-01", "from"), ("from=2020-01-01&to=2021-01-01", "from"), ("limit=0", "limit"),
    ("limit=10001", "limit"), ("after=x", "after"), ("after=1.x.y", "after"), ("format=xml", "format"),
    ("key=nobody", "key"), ("key=", "key"), ("model=", "model"),
])
def test_bad_questions_are_422(tester, query, param):
    response = tester.get(f"{USAGE}?{query}")
    if param is None:
        assert response.status == 200, response
        return
    assert response.status == 422
    assert response.error()["param"] == param


def test_a_year_is_in_bounds(tester):
    assert tester.get(f"{USAGE}?from=2020-01-01&to=2020-12-31").status == 200


def test_books_and_accounts_are_apart(server, account):
    with server.client(server.key("usage", credits=1)) as live:
        assert sums(usage(live)["total"]) == (0,) * 6
    with server.client(server.key("usage-else", test=True)) as other:
        assert sums(usage(other)["total"]) == (0,) * 6
        assert other.get(f"{USAGE}?key=pictures").status == 422  # S2: as if there were none


def test_cancelled_tasks_are_failed_ones(server):
    with server.client(server.key("usage-cancel", test=True)) as client:
        made = client.submit(IMAGE, {**PICTURE, "prompt": "fennec:never"})
        assert sums(usage(client)["total"]) == (1, 0, 0, 0, 0, 0)
        client.post(f"/v1/tasks/{made['id']}/cancel")
        assert sums(usage(client)["total"]) == (1, 0, 1, 0, 8, 0)


def test_calls_are_counted(server):
    model = next(one["model"] for one in server.client().get("/api/pricing").json()["data"]
                 if one["type"] == "llm" and not one["model"].endswith("*"))
    with server.client(server.key("usage-calls", test=True)) as client:
        ask = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 100}
        assert client.post("/v1/chat/completions", ask).status == 200
        client.get("/v1/account/credits")  # waits until what has ended is written
        row = eventually(lambda: usage(client, "by=model")["data"])[0]
        assert (row["model"], row["tasks"], row["completed"]) == (model, 1, 1)
        assert row["credits_charged"] == client.get("/v1/account/credits").json()["data"]["token"]["used_credits"] > 0
