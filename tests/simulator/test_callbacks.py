"""Callbacks that are delivered: what comes, how it is signed, and what an account and an operator see of it."""
import json
import subprocess

import pytest
from services.receiver import hang, signature, status, verified

from callbacks import callback, ended, make_post, metric, of_task
from house import FENNEC, eventually


@pytest.fixture
def post(make_server):
    made = make_post(make_server)
    yield made
    made.close()


@pytest.fixture
def client(post):
    with post.server.client(post.server.key("one", test=True)) as one:
        yield one


def rotate(client, **body):
    answer = client.request("POST", "/v1/callbacks/secret/rotate", body or None)
    assert answer.status == 200, answer
    return answer.json()["secret"]


def test_the_body_is_what_the_query_answers_and_the_signature_fits(post, client):
    secret = rotate(client)
    task = client.submit("say", prompt="hello", callback_url=post.receiver.url("/hook?a=1"))
    request, = post.receiver.wait("/hook?a=1")
    assert request.headers["content-type"] == "application/json"
    assert request.body == client.get(f"/v1/tasks/{task}").body
    body = json.loads(request.body)
    assert body["id"] == task and body["status"] == "completed" and body["usage"]["credits_charged"] == 1, body
    assert verified(secret, request) and len(request.signatures()) == 1
    row = ended(client, task, "delivered")
    assert row["id"] == request.id and row["id"].startswith("msg_") and row["try_count"] == 1, row
    assert row["outcome"] == "delivered" and row["http_status"] == 200 and row["test"] is False
    assert [one["number"] for one in row["tries"]] == [1] and row["due"] is None and row["ended"] >= row["created"]
    eventually(lambda: metric(client, "fennec_callbacks_delivered_total") == 1)  # counted once written
    assert len(post.receiver.requests) == 1, "once, when the first was taken"


def test_a_failed_task_is_told_of_too(post, client):
    task = client.submit("say", prompt="fennec:error=content_policy_violation", callback_url=post.receiver.url("/hook"))
    request, = post.receiver.wait("/hook")
    body = json.loads(request.body)
    assert body["status"] == "failed" and body["error"]["code"] == "content_policy_violation", body
    assert body["usage"]["credits_refunded"] == body["usage"]["credits_reserved"], "its billing is settled"
    assert request.body == client.get(f"/v1/tasks/{task}").body


def test_a_task_that_was_cancelled_is_told_of(post, client):
    task = client.submit("say", prompt="fennec:never", callback_url=post.receiver.url("/hook"))
    assert of_task(client, task)["status"] == "waiting" and not post.receiver.requests
    assert client.request("POST", f"/v1/callbacks/{of_task(client, task)['id']}/replay").error()["code"] == "task_not_final"
    assert client.request("POST", f"/v1/tasks/{task}/cancel").status == 200
    request, = post.receiver.wait("/hook")
    assert json.loads(request.body)["error"]["code"] == "request_cancelled"


def test_a_language_models_task_calls_back(post, client):
    models = client.get("/v1/configs/llm_generations_models").json()["data"]
    answer = client.request("POST", "/v1/llm/generations", {
        "model": models[0]["id"], "prompt": "fennec:tokens=5", "max_tokens": 9, "callback_url": post.receiver.url("/llm")})
    assert answer.status == 200, answer
    request, = post.receiver.wait("/llm")
    assert request.body == client.get(f"/v1/tasks/{answer.json()['id']}").body
    assert json.loads(request.body)["type"] == "llm"


def test_nothing_is_sent_where_nobody_asked(post, client):
    quiet = client.submit("say", prompt="x")
    loud = client.submit("say", prompt="x", callback_url=post.receiver.url("/hook"))
    client.completed(quiet)
    ended(client, loud, "delivered")
    assert client.get(f"/v1/callbacks?task_id={quiet}").json()["data"] == []


def test_each_of_many_comes_once(post, client):
    tasks = [client.submit("say", prompt=str(i), callback_url=post.receiver.url("/many")) for i in range(200)]
    requests = post.receiver.wait("/many", 200)
    assert sorted(json.loads(one.body)["id"] for one in requests) == sorted(tasks)
    for task in tasks:
        ended(client, task, "delivered")
    assert len(post.receiver.at("/many")) == 200 == len({one.id for one in requests})


def test_two_secrets_sign_in_a_rotation_and_one_after_the_revocation(post, client):
    def one():
        before = len(post.receiver.at("/hook"))
        client.submit("say", prompt="x", callback_url=post.receiver.url("/hook"))
        return post.receiver.wait("/hook", before + 1)[-1]

    first = rotate(client)
    second = rotate(client, overlap_s=3600)
    request = one()
    assert request.signatures() == [signature(second, request), signature(first, request)]
    shown = client.get("/v1/callbacks/secret").json()
    assert [(s["current"], s["expires"] is None) for s in shown["secrets"]] == [(True, True), (False, False)]
    assert all(second.startswith(s["hint"]) or first.startswith(s["hint"]) for s in shown["secrets"])
    assert second not in json.dumps(shown) and first not in json.dumps(shown), "shown once"
    assert client.request("POST", "/v1/callbacks/secret/revoke").status == 200
    request = one()
    assert request.signatures() == [signature(second, request)]
    third = rotate(client, overlap_s=0)
    request = one()
    assert request.signatures() == [signature(third, request)]
    assert client.request("POST", "/v1/callbacks/secret/rotate", {"overlap_s": -1}).error()["param"] == "overlap_s"
    assert client.request("POST", "/v1/callbacks/secret/rotate", {"overlaps": 1}).error()["param"] == "overlaps"
    for secret in (first, second, third):
        assert secret.removeprefix("whsec_") not in post.server.log_text()


def test_a_receiver_of_another_account_has_another_secret(post, client):
    other = post.server.client(post.server.key("two", test=True))
    mine, theirs = rotate(client), rotate(other)
    with other:
        task = other.submit("say", prompt="x", callback_url=post.receiver.url("/two"))
        request, = post.receiver.wait("/two")
        assert verified(theirs, request) and not verified(mine, request)
        row = ended(other, task, "delivered")
        missing = client.get(f"/v1/callbacks/msg_{'0' * 26}")
        for answer in (client.get(f"/v1/callbacks/{row['id']}"),
                       client.request("POST", f"/v1/callbacks/{row['id']}/replay")):
            assert answer.status == 404 and answer.error() == missing.error(), answer
        assert client.get("/v1/callbacks").json() == {"object": "list", "data": [], "has_more": False, "next": None}
        assert client.get(f"/v1/callbacks?after={row['id']}").status == 422
    assert len(post.receiver.at("/two")) == 1


def test_the_list_pages_and_filters(post, client):
    post.receiver.behave["/no"] = status(410)
    tasks = [client.submit("say", prompt="x", callback_url=post.receiver.url("/yes")) for _ in range(5)]
    for task in tasks:
        ended(client, task, "delivered")
    given_up = client.submit("say", prompt="x", callback_url=post.receiver.url("/no"))
    ended(client, given_up, "given_up")
    seen, after = [], ""
    while after is not None:
        page = client.get(f"/v1/callbacks?limit=2{after and '&after=' + after}").json()
        seen += [row["task_id"] for row in page["data"]]
        assert page["has_more"] == (page["next"] is not None) and len(page["data"]) <= 2
        after = page["next"]
    assert seen == [given_up, *reversed(tasks)]
    by_status = {name: [row["task_id"] for row in client.get(f"/v1/callbacks?status={name}").json()["data"]]
                 for name in ("waiting", "due", "delivered", "given_up")}
    assert by_status == {"waiting": [], "due": [], "delivered": tasks[::-1], "given_up": [given_up]}
    for query, param in (("limit=0", "limit"), ("limit=101", "limit"), ("status=x", "status"), ("after=x", "after")):
        answer = client.get(f"/v1/callbacks?{query}")
        assert answer.status == 422 and answer.error()["param"] == param, answer


def test_a_replay_comes_with_the_same_id(post, client):
    task = client.submit("say", prompt="x", callback_url=post.receiver.url("/hook"))
    row = ended(client, task, "delivered")
    answer = client.request("POST", f"/v1/callbacks/{row['id']}/replay")
    assert answer.status == 200 and answer.json()["id"] == row["id"], answer
    first, second = post.receiver.wait("/hook", 2)
    assert first.id == second.id and first.body == second.body
    row = eventually(lambda: (lambda r: r if r["try_count"] == 2 and r["status"] == "delivered" else None)(
        callback(client, row["id"])))
    assert [one["outcome"] for one in row["tries"]] == ["delivered"] * 2


def test_a_test_event_is_signed_and_its_outcome_answered(post, client):
    secret = rotate(client)
    post.receiver.behave["/no"] = status(500, b"out\x00 of \xff order\n\x1b[31m " + b"x" * 1000)
    answer = client.request("POST", "/v1/callbacks/test", {"url": post.receiver.url("/yes")})
    assert answer.status == 200, answer
    row = answer.json()
    request, = post.receiver.wait("/yes")
    assert verified(secret, request) and row["id"] == request.id and row["test"] is True
    assert (row["status"], row["try_count"], row["tries"][0]["http_status"]) == ("delivered", 1, 200), row
    body = json.loads(request.body)
    assert body["id"] == row["task_id"] and body["model"] == "callback-test" and body["status"] == "completed", body
    assert client.get(f"/v1/tasks/{row['task_id']}").status == 404, "it is no task"
    row = client.request("POST", "/v1/callbacks/test", {"url": post.receiver.url("/no")}).json()
    assert (row["status"], row["outcome"], row["http_status"], row["try_count"]) == ("given_up", "http_error", 500, 1), row
    excerpt = row["tries"][0]["excerpt"]
    assert excerpt.startswith("out  of ? order  [31m xx") and len(excerpt) == 500, excerpt
    for body, param in (({}, "url"), ({"url": 1}, "url"), ({"url": "https://10.0.0.1/"}, "url"), ({"uri": ""}, "uri"),
                        ({"url": "ftp://example.com/"}, "url"), ({"url": "https://example.com/" + "x" * 2048}, "url")):
        answer = client.request("POST", "/v1/callbacks/test", body)
        assert answer.status == 422 and answer.error()["param"] == param, (body, answer)


def test_the_operator_sees_and_sends_again(post, client):
    server = post.server
    task = client.submit("say", prompt="x", callback_url=post.receiver.url("/hook"))
    row = ended(client, task, "delivered")
    listed = json.loads(server.cli("callback", "list", "--account", "one", "--json"))
    assert [(one["id"], one["status"], one["account"]) for one in listed] == [(row["id"], "delivered", "one")]
    shown = json.loads(server.cli("callback", "show", row["id"], "--json"))
    assert shown["task"] == task and [one["http_status"] for one in shown["log"]] == [200], shown
    assert "Tries" in server.cli("callback", "show", row["id"])
    assert json.loads(server.cli("callback", "list", "--status", "given_up", "--json")) == []
    server.cli("callback", "replay", row["id"])
    first, second = post.receiver.wait("/hook", 2)
    assert first.id == second.id
    secret = server.cli("callback", "rotate-secret", "--account", "one", "--overlap", "0").strip()
    tested = json.loads(server.cli("callback", "test", post.receiver.url("/test"), "--account", "one", "--json"))
    request, = post.receiver.wait("/test")
    assert tested["status"] == "delivered" and verified(secret, request)
    server.cli("callback", "show", "msg_x", code=1)
    server.cli("callback", "test", "http://10.0.0.1/", "--account", "one", code=1)
    server.cli("callback", "test", post.receiver.url("/test"), "--account", "nobody", code=1)
    assert server.stop() == 0
    said = subprocess.run([FENNEC, "callback", "replay", row["id"], "--data", str(server.data), "--config",
                           str(server.config)], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and "no server runs" in said.stderr, said
    server.start()
    assert post.receiver.wait("/hook", 3)[2].id == row["id"]


def test_the_operators_api_sees_and_sends_again(post, client):
    server = post.server
    operator = server.client(server.cli("admin-key", "create").strip())
    post.receiver.behave["/no"] = status(410, b"go away")
    delivered = client.submit("say", prompt="x", callback_url=post.receiver.url("/yes"))
    given_up = client.submit("say", prompt="x", callback_url=post.receiver.url("/no"))
    waiting = client.submit("say", prompt="fennec:never", callback_url=post.receiver.url("/later"))
    ended(client, delivered, "delivered")
    ended(client, given_up, "given_up")
    with server.client(server.key("two", test=True)) as other:
        theirs = other.submit("say", prompt="x", callback_url=post.receiver.url("/yes"))
        ended(other, theirs, "delivered")

    def listed(query=""):
        page = operator.get("/admin/v1/callbacks" + query).json()
        return [row["task_id"] for row in page["data"]], page

    account = {row["name"]: row["id"] for row in operator.get("/admin/v1/accounts").json()["data"]}
    assert listed()[0] == [theirs, waiting, given_up, delivered]
    assert listed(f"?account={account['one']}")[0] == [waiting, given_up, delivered]
    assert listed(f"?account={account['one']}&status=delivered")[0] == [delivered]
    assert listed(f"?task_id={given_up}")[0] == [given_up]
    assert listed(f"?task_id={given_up}&account={account['two']}")[0] == []
    tasks, page = listed("?limit=3")
    assert tasks == [theirs, waiting, given_up] and page["has_more"]
    tasks, page = listed(f"?limit=3&after={page['next']}")
    assert tasks == [delivered] and not page["has_more"] and page["next"] is None
    for query, param in (("account=x", "account"), ("status=x", "status"), ("limit=0", "limit"), ("after=x", "after"),
                         ("tasks=1", "tasks"), ("task_id=x", "task_id"), (f"task_id={delivered[:-8]}aaaaaaaa", "task_id")):
        assert operator.get("/admin/v1/callbacks?" + query).error()["param"] == param

    row = of_task(client, given_up)
    shown = operator.get(f"/admin/v1/callbacks/{row['id']}").json()
    assert shown["account_id"] == account["one"] and {key: shown[key] for key in row} == row, shown
    assert [(one["outcome"], one["excerpt"]) for one in shown["tries"]] == [("gone", "go away")]
    post.receiver.behave["/no"] = status(200)
    replay = f"/admin/v1/callbacks/{row['id']}/replay"
    assert operator.request("POST", replay, {"reasons": "x"}).error()["param"] == "reasons"
    assert operator.request("POST", replay, {"reason": "mended"}).json()["id"] == row["id"]
    assert ended(client, given_up, "delivered")["try_count"] == 2
    assert [one.id for one in post.receiver.wait("/no", 2)] == [row["id"]] * 2
    held = of_task(client, waiting)["id"]
    answer = operator.request("POST", f"/admin/v1/callbacks/{held}/replay")
    assert answer.status == 409 and answer.error()["code"] == "task_not_final", answer
    for path in ("msg_x", "x" * 200, "msg_" + "a" * 26):
        answer = operator.get(f"/admin/v1/callbacks/{path}")
        assert answer.status == 404 and answer.error()["code"] == "callback_not_found", answer
        assert operator.request("POST", f"/admin/v1/callbacks/{path}/replay").error() == answer.error()
    assert client.get("/admin/v1/callbacks").error()["code"] == "not_admin"

    server.cli("callback", "rotate-secret", "--account", "one", "--overlap", "60")
    server.cli("callback", "replay", row["id"])
    post.receiver.wait("/no", 3)
    changes = [one for one in operator.get("/admin/v1/changes").json()["data"] if one["action"].startswith("callback.")]
    assert [(one["action"], one["actor"].split(":")[0], one["account_id"]) for one in changes] == [
        ("callback.replayed", "cli", account["one"]), ("callback.secret_rotated", "cli", account["one"]),
        ("callback.replayed", "admin", account["one"])], changes
    assert changes[2]["subject"] == row["id"] and changes[2]["detail"]["reason"] == "mended"
    assert changes[1]["detail"] == {"overlap_s": 60}


def test_callbacks_are_kept_for_a_while(make_server):
    """A day of a retention of an hour."""
    post = make_post(make_server, speed=1000, retention=3600)
    try:
        with post.server.client(post.server.key("one", test=True)) as client:
            task = client.submit("say", prompt="x", callback_url=post.receiver.url("/hook"))
            post.receiver.wait("/hook")
            eventually(lambda: client.get("/v1/callbacks").json()["data"] == [])
            assert client.status(task) == "completed"
    finally:
        post.close()


def test_a_stop_waits_for_what_is_under_way(post, client):
    """A slow receiver's answer is still heard, so that nothing is sent twice for a stop's sake."""
    gate = post.receiver.ended
    post.receiver.behave["/slow"] = lambda connection, ended: (post.slow.wait(30), status(200)(connection, ended))
    post.slow = type(gate)()
    task = client.submit("say", prompt="x", callback_url=post.receiver.url("/slow"))
    post.receiver.wait("/slow")
    post.server.process.terminate()
    eventually(lambda: client.try_submit("say").status == 503)
    post.slow.set()
    assert post.server.reap() == 0
    post.server.start()
    with post.server.client(client.key) as again:
        assert ended(again, task, "delivered")["try_count"] == 1
    assert len(post.receiver.at("/slow")) == 1


def test_what_hangs_at_a_stop_is_sent_again_by_the_next_life(post, client):
    post.server.configure(post.server.settings.replace("drain = 15", "drain = 0"))
    post.server.reload()
    post.receiver.behave["/hook"] = hang
    task = client.submit("say", prompt="x", callback_url=post.receiver.url("/hook"))
    post.receiver.wait("/hook")
    assert post.server.stop() == 0
    post.receiver.behave["/hook"] = status(200)
    post.server.start()
    first, second = post.receiver.wait("/hook", 2)
    assert first.id == second.id and first.body == second.body
    with post.server.client(client.key) as again:
        ended(again, task, "delivered")
