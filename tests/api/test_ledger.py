"""The ledger's export, in pages and as CSV; what operators give, take off and give back."""
import csv
import io
import json
import subprocess

import pytest

from catalogue import IMAGE, MODELS
from client import eventually
from conftest import FENNEC

LEDGER = "/v1/account/ledger"
COLUMNS = ["sequence", "time", "book", "kind", "credits", "charged", "task", "note"]
PICTURE = {"model": "phota-image", "prompt": "x"}  # 8 play credits


def entries(client, query=""):
    response = client.get(f"{LEDGER}?limit=1000{query}")
    assert response.status == 200, response
    page = response.json()
    assert list(page) == ["object", "data", "has_more", "next"] and page["object"] == "list"
    return page["data"]


def fails(server, *words):
    return run(server, 1, *words).stderr


def run(server, code, *words):
    done = subprocess.run([FENNEC, *words[:2], "--data", str(server.data), "--config", str(server.config), *words[2:]],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    return done


def order(server, *words):
    return json.loads(server.cli("account", *words, "--json"))


def records(text):
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == COLUMNS
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]


def test_a_tasks_entries(server):
    with server.client(server.key("ledger-one", credits="2.5")) as client:
        task = client.completed(IMAGE, MODELS["local-image"].body("local-image"))
        rows = entries(client)
        assert [list(row) for row in rows] == [COLUMNS] * 3
        assert [(row["sequence"], row["kind"], row["credits"], row["charged"], row["task"], row["book"]) for row in rows] == [
            (1, "credit", 2.5, 0, None, "live"), (2, "reserve", -1, 0, task["id"], "live"),
            (3, "settle", 0, 1, task["id"], "live")]
        assert all(row["time"].endswith("Z") and "T" in row["time"] for row in rows)
        assert sum(row["credits"] for row in rows) == client.credits()


def test_pages_follow_each_other(server):
    server.key("ledger-pages", credits=1)
    for amount in range(2, 8):
        server.cli("account", "credit", "ledger-pages", str(amount))
    with server.client(server.key("ledger-pages", test=True)) as client:
        amounts, after, sizes = [], "0", []
        while after is not None:
            page = client.get(f"{LEDGER}?limit=3&after={after}").json()
            amounts += [row["credits"] for row in page["data"]]
            sizes.append(len(page["data"]))
            assert page["has_more"] is (page["next"] is not None)
            after = page["next"]
        assert (amounts, sizes) == ([1, 2, 3, 4, 5, 6, 7], [3, 3, 1])
        exact = client.get(f"{LEDGER}?limit=7").json()
        assert (len(exact["data"]), exact["has_more"], exact["next"]) == (7, False, None)


def test_days_bound_it(server):
    with server.client(server.key("ledger-days", credits=1)) as client:
        today = entries(client)[0]["time"][:10]
        assert len(entries(client, f"&from={today}&to={today}")) == 1
        assert entries(client, "&from=2001-01-01&to=2001-12-31") == []
        assert entries(client, "&from=2999-01-01") == []
        assert len(entries(client, "&to=2999-01-01")) == 1


@pytest.mark.parametrize("query, param", [
    ("from=yesterday", "from"), ("from=2026-02-30", "from"), ("to=2026-1-1", "to"), ("from=2026-01-02&to=2026-01-01", "from"),
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("after=-1", "after"), ("after=x", "after"),
    ("format=xml", "format"), ("from=", "from"),
])
def test_bad_questions_are_422(tester, query, param):
    response = tester.get(f"{LEDGER}?{query}")
    assert response.status == 422
    assert response.error()["param"] == param


def test_csv_is_exact_and_holds_no_formula(server):
    key = server.key("ledger-csv", credits="1000000000000")
    notes = ["=1+1", "+1", "-1", "@SUM(A1)", 'says "no", twice', "plain", "=\"x\",y", "späte Gutschrift"]
    for note in notes:
        run(server, 0, "account", "credit", "ledger-csv", "--reason", note, "--", "-0.000001")
    with server.client(key) as client:
        response = client.get(f"{LEDGER}?format=csv")
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "ledger.csv" in response.headers["Content-Disposition"]
        text = response.body.decode()
        assert text.count("\r\n") == len(notes) + 2 and "\n" not in text.replace("\r\n", "")
        rows = records(text)
        assert [row["note"] for row in rows[1:]] == [
            "'=1+1", "'+1", "'-1", "'@SUM(A1)", 'says "no", twice', "plain", "'=\"x\",y", "späte Gutschrift"]
        assert rows[0]["credits"] == "1000000000000"
        assert {row["credits"] for row in rows[1:]} == {"-0.000001"}
        assert text == server.cli("account", "ledger", "ledger-csv", "--csv").replace("\n", "\r\n").replace("\r\r", "\r")
    lines = server.cli("account", "ledger", "ledger-csv").splitlines()
    assert [json.loads(line)["note"] for line in lines[1:]] == notes


def test_a_long_ledger_comes_as_one_csv(server):
    key = server.key("ledger-long", test=True)
    with server.client(key) as client:
        made = [client.submit(IMAGE, PICTURE)["id"] for _ in range(200)]
        for task in made:
            client.finished(task)
        rows = records(client.get(f"{LEDGER}?format=csv").body.decode())
        assert [int(row["sequence"]) for row in rows] == list(range(1, 401))
        assert {row["task"] for row in rows} == set(made)
        assert client.request("HEAD", f"{LEDGER}?format=csv").body == b""


def test_another_accounts_entries_are_not_there(server):
    server.key("ledger-mine", credits=5)
    with server.client(server.key("ledger-other", test=True)) as other:
        assert entries(other) == []


# ---- operators ----

def test_a_reference_is_carried_out_once(server):
    key = server.key("credit-once", credits=1)
    first = order(server, "credit", "credit-once", "10", "--reason", "invoice 17", "--reference", "INV-17")
    again = order(server, "credit", "credit-once", "10", "--reason", "invoice 17", "--reference", "INV-17")
    assert (first["given"], first["credits"], first["repeated"]) == (10, 11, False)
    assert (again["given"], again["credits"], again["entry"], again["repeated"]) == (10, 11, first["entry"], True)
    assert "belongs to another" in fails(server, "account", "credit", "credit-once", "11", "--reference", "INV-17")
    order(server, "credit", "credit-once", "10", "--reference", "INV-18")
    with server.client(key) as client:
        assert client.credits() == 21
        assert [row["note"] for row in entries(client)[1:]] == ["invoice 17", "account credit"]


def test_a_debit_never_goes_below_zero(server):
    key = server.key("debited", credits=3)
    assert "less than that" in fails(server, "account", "credit", "debited", "--", "-4")
    run(server, 0, "account", "credit", "debited", "--reason", "wrong", "--", "-3")
    with server.client(key) as client:
        assert client.credits() == 0
        assert [row["kind"] for row in entries(client)] == ["credit", "adjust"]


def test_a_charge_is_given_back_once(server):
    key = server.key("refunded", credits=5)
    with server.client(key) as client:
        task = client.completed(IMAGE, MODELS["local-image"].body("local-image"))
        before = client.task(task["id"])
        assert "--reason" in fails(server, "account", "refund", task["id"])
        assert "left to give back" in fails(server, "account", "refund", task["id"], "1.000001", "--reason", "x")
        order(server, "refund", task["id"], "0.25", "--reason", "half black", "--reference", "R1")
        assert order(server, "refund", task["id"], "0.25", "--reason", "half black", "--reference", "R1")["repeated"]
        assert client.credits() == 4.25
        assert order(server, "refund", task["id"], "--reason", "all black")["given"] == 0.75
        assert "left to give back" in fails(server, "account", "refund", task["id"], "--reason", "again")
        assert client.credits() == 5
        assert client.task(task["id"]) == before  # its own bill stays what it was (L3)
        assert [(row["kind"], row["credits"], row["task"], row["note"]) for row in entries(client)[3:]] == [
            ("adjust", 0.25, task["id"], "half black"), ("adjust", 0.75, task["id"], "all black")]
        total = client.get("/v1/account/usage").json()["total"]
        assert (total["credits_charged"], total["credits_refunded"], total["credits_returned"]) == (1, 0, 1)


def test_only_what_has_ended_is_given_back(server):
    with server.client(server.key("refund-early", test=True)) as client:
        made = client.submit(IMAGE, {**PICTURE, "prompt": "fennec:never"})
        assert "not ended" in fails(server, "account", "refund", made["id"], "--reason", "x")
        assert "no task" in fails(server, "account", "refund", "task-unified-1757165031-uyujaw3d", "--reason", "x")


def test_what_comes_back_can_be_spent_again(server):
    key = server.cli("key", "create", "--account", "refund-budget", "--test", "--budget", "8").strip()
    with server.client(key) as client:
        task = client.completed(IMAGE, PICTURE)
        assert client.post(IMAGE, PICTURE).status == 402
        order(server, "refund", task["id"], "--reason", "black")
        eventually(lambda: client.post(IMAGE, PICTURE).status == 200)
