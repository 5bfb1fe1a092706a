"""The operators' API: who may use it, what it changes, and that every change is on record once."""
import pytest

from client import eventually

IMAGE = "/v1/images/generations"
MODEL = "phota-image"
HOLD = {"model": MODEL, "prompt": "fennec:never"}
QUICK = {"model": MODEL, "prompt": "A paper boat"}


@pytest.fixture(scope="session")
def admin_key(server):
    return server.cli("admin-key", "create", "--name", "tests").strip()


class Operator:
    """A client that knows how many lines the record of changes has."""

    def __init__(self, server, key):
        self.server, self.client = server, server.client(key)
        self.actor = "admin:" + key[:16]

    def __call__(self, method, path, body=None, status=200):
        answer = self.client.request(method, "/admin/v1/" + path, body)
        assert answer.status == status, (method, path, answer)
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.json() if status == 200 else answer.error()

    def changes(self, query=""):
        return self("GET", "changes?limit=500" + query)["data"]

    def makes(self, actions, method, path, body=None):
        """Carries it out, after which the record has just these lines more, newest first."""
        before = self.changes()
        answer = self(method, path, body)
        fresh = [c for c in self.changes() if not before or c["number"] > before[0]["number"]]
        assert [c["action"] for c in fresh] == actions, fresh
        assert all(c["actor"] == self.actor for c in fresh), fresh
        return answer

    def refused(self, code, method, path, body=None, param=None, status=None):
        """Refused with that code, and nothing is recorded."""
        before = self.changes()
        answer = self.client.request(method, "/admin/v1/" + path, body)
        error = answer.error()
        assert error["code"] == code and error["param"] == param, error
        assert status is None or answer.status == status, answer
        assert self.changes() == before
        return error


@pytest.fixture
def operator(server, admin_key):
    one = Operator(server, admin_key)
    yield one
    one.client.connection.close()


@pytest.fixture
def account(operator, request):
    """A fresh account of the test's own."""
    name = request.node.name.replace("[", "-").replace("]", "").replace(" ", "-")[:60]
    return operator.makes(["account.created"], "POST", "accounts", {"name": name})


def routes(server):
    with server.client() as anyone:
        paths = anyone.request("GET", "/openapi.json").json()["paths"]
    found = [(method.upper(), path) for path, item in paths.items() if path.startswith("/admin/v1/")
             for method in item if method in ("get", "post", "patch", "delete", "put")]
    assert len(found) > 25, found
    return found


def fill(path):
    for name, value in (("account_id", "1"), ("key_id", "1"), ("admin_key_id", "1"), ("provider", "exec"), ("model", MODEL),
                        ("task_id", "task-unified-1757165031-uyujaw3d"), ("callback_id", "msg_" + "a" * 26)):
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, path
    return path


# -- who may

def test_every_route_is_for_operators_alone(server, live, tester, anyone):
    for method, path in routes(server):
        body = {} if method in ("POST", "PATCH") else None
        answer = anyone.request(method, fill(path), body)
        assert (answer.status, answer.error()["code"]) == (401, "missing_api_key"), (method, path, answer)
        for client in (live, tester):
            answer = client.request(method, fill(path), body)
            assert (answer.status, answer.error()["code"]) == (403, "not_admin"), (method, path, answer)
            assert answer.error()["type"] == "permission_error"
        answer = anyone.request(method, fill(path), body, {"Authorization": "Bearer sk-admin-" + "A" * 43})
        assert (answer.status, answer.error()["code"]) == (401, "invalid_api_key"), (method, path, answer)


def test_an_operators_key_opens_nothing_else(server, admin_key):
    with server.client(admin_key) as client:
        for method, path in (("GET", "/v1/models"), ("GET", "/v1/account/credits"), ("POST", IMAGE)):
            answer = client.request(method, path, QUICK if method == "POST" else None)
            assert (answer.status, answer.error()["code"]) == (403, "admin_key_not_allowed"), answer


def test_operators_keys_by_the_api(server, operator):
    made = operator.makes(["admin_key.created"], "POST", "keys", {"name": "second"})
    assert made["key"].startswith("sk-admin-") and made["prefix"] == made["key"][:16]
    second = Operator(server, made["key"])
    assert second("GET", "status")["object"] == "status"
    listed = operator("GET", "keys")["data"]
    assert [k["name"] for k in listed if k["id"] == made["id"]] == ["second"] and not any("key" in k for k in listed)
    operator.makes(["admin_key.revoked"], "DELETE", f"keys/{made['id']}")
    assert second("GET", "status", status=401)["code"] == "invalid_api_key"
    operator.refused("key_not_found", "DELETE", f"keys/{made['id']}", status=404)
    operator.refused("key_not_found", "DELETE", "keys/x", status=404)
    operator.refused("not_allowed_value", "POST", "keys", {"name": "two words"}, "name", 422)


def test_it_can_be_switched_off(make_server):
    server = make_server("admin = { enabled = false }\ngroups = { default = { requests_per_minute = 0 } }")
    with server.client(server.cli("admin-key", "create").strip()) as client:
        answer = client.request("GET", "/admin/v1/status")
        assert (answer.status, answer.error()["code"]) == (404, "route_not_found")


# -- accounts and keys

def test_accounts_are_made_found_and_listed(operator, account):
    assert account["group"] == "default" and account["credits"] == 0 and account["suspended"] is None
    assert operator("GET", f"accounts/{account['id']}") == account
    operator.refused("account_exists", "POST", "accounts", {"name": account["name"]}, "name", 409)
    operator.refused("missing_field", "POST", "accounts", {}, "name", 422)
    operator.refused("unknown_field", "POST", "accounts", {"name": "x", "credits": 5}, "credits", 422)
    operator.refused("invalid_type", "POST", "accounts", {"name": 5}, "name", 422)
    operator.refused("account_not_found", "GET", "accounts/999999", status=404)
    operator.refused("account_not_found", "GET", "accounts/nobody", status=404)
    for i in range(3):
        operator("POST", "accounts", {"name": f"paged-{i}", "group": "double"})
    page = operator("GET", "accounts?prefix=paged-&limit=2")
    assert [a["name"] for a in page["data"]] == ["paged-0", "paged-1"] and page["has_more"]
    rest = operator("GET", f"accounts?prefix=paged-&limit=2&after={page['next']}")
    assert [a["name"] for a in rest["data"]] == ["paged-2"] and not rest["has_more"] and rest["next"] is None
    operator.refused("out_of_range", "GET", "accounts?limit=501", None, "limit", 422)
    operator.refused("unknown_field", "GET", "accounts?sort=name", None, "sort", 422)


def test_a_suspended_account_is_refused_and_its_tasks_go_on(server, operator, account, request):
    key = operator("POST", f"accounts/{account['id']}/keys", {"mode": "test"})["key"]
    with server.client(key) as client:
        task = client.request("POST", IMAGE, QUICK).json()["id"]
        changed = operator.makes(["account.changed"], "PATCH", f"accounts/{account['id']}",
                                 {"suspended": True, "reason": "invoice 17"})
        assert changed["suspended"] is not None
        assert operator.changes()[0]["detail"] == {"suspended": True, "reason": "invoice 17"}
        answer = client.request("GET", f"/v1/tasks/{task}")
        assert (answer.status, answer.error()["code"]) == (403, "account_suspended")
        eventually(lambda: operator("GET", f"tasks/{task}")["status"] == "completed")
        operator.makes([], "PATCH", f"accounts/{account['id']}", {"suspended": True})
        operator.makes(["account.changed"], "PATCH", f"accounts/{account['id']}", {"suspended": False, "group": "double"})
        assert client.finished(task)["status"] == "completed"  # operators read it in the store, which is first
        submitted = client.request("POST", IMAGE, QUICK).json()
        assert submitted["usage"]["user_group"] == "double"


def test_keys_work_at_once_and_stop_at_once(server, operator, account):
    path = f"accounts/{account['id']}/keys"
    made = operator.makes(["key.created"], "POST", path, {"name": "web", "requests_per_minute": 5, "concurrency": 2,
                                                           "budget_total": 12.5, "budget_day": "0.000001"})
    assert made["mode"] == "live" and made["requests_per_minute"] == 5 and made["budget_total"] == 12.5
    assert made["budget_day"] == 0.000001 and made["expires"] is None
    with server.client(made["key"]) as client:
        assert client.request("GET", "/v1/account/credits").status == 200
        changed = operator.makes(["key.changed"], "PATCH", f"{path}/{made['id']}", {"budget_day": None, "name": "site"})
        assert changed["budget_day"] is None and changed["budget_total"] == 12.5 and changed["name"] == "site"
        listed = operator("GET", path)["data"]
        assert [k["id"] for k in listed] == [made["id"]] and "key" not in listed[0]
        revoked = operator.makes(["key.revoked"], "DELETE", f"{path}/{made['id']}")
        assert revoked["revoked"] is not None
        answer = client.request("GET", "/v1/account/credits")
        assert (answer.status, answer.error()["code"]) == (401, "invalid_api_key")
    operator.refused("key_not_found", "DELETE", f"{path}/{made['id']}", status=404)
    operator.refused("key_not_found", "PATCH", f"accounts/1/keys/{made['id']}", {"name": "x"}, status=404)
    operator.refused("not_allowed_value", "POST", path, {"mode": "play"}, "mode", 422)
    operator.refused("out_of_range", "POST", path, {"budget_total": 0.0000001}, "budget_total", 422)
    operator.refused("out_of_range", "POST", path, {"concurrency": -1}, "concurrency", 422)
    operator.refused("invalid_type", "PATCH", f"{path}/{made['id']}", {"concurrency": 1.5}, "concurrency", 422)
    assert not any("sk-" in str(c["detail"]) for c in operator.changes())


def test_an_expired_key(operator, account):
    made = operator("POST", f"accounts/{account['id']}/keys", {"expires_in": 3600})
    assert made["expires"] - made["created"] == 3600


# -- money

def test_credits_are_exact_and_a_reference_counts_once(server, operator, account):
    path = f"accounts/{account['id']}/credits"
    given = operator.makes(["account.credited"], "POST", path, {"amount": 0.1, "reason": "top-up", "reference": "inv-1"})
    assert given["amount"] == 0.1 and given["balance"] == 0.1 and not given["repeated"]
    again = operator.makes([], "POST", path, {"amount": 0.1, "reason": "top-up", "reference": "inv-1"})
    assert again["repeated"] and again["entry"] == given["entry"]
    operator("POST", path, {"amount": "0.2", "reason": "more"})
    assert operator("POST", path, {"amount": -0.3, "reason": "back"})["balance"] == 0
    operator.refused("insufficient_quota", "POST", path, {"amount": -0.000001, "reason": "too much"}, "amount", 402)
    operator.refused("missing_field", "POST", path, {"reason": "x"}, "amount", 422)
    operator.refused("missing_field", "POST", path, {"amount": 1}, "reason", 422)
    operator.refused("out_of_range", "POST", path, {"amount": 0, "reason": "x"}, "amount", 422)
    operator.refused("out_of_range", "POST", path, {"amount": 0.0000001, "reason": "x"}, "amount", 422)
    operator.refused("invalid_type", "POST", path, {"amount": [1], "reason": "x"}, "amount", 422)
    entries = operator("GET", f"accounts/{account['id']}/ledger")["data"]
    assert [e["credits"] for e in entries] == [0.1, 0.2, -0.3]
    page = operator("GET", f"accounts/{account['id']}/ledger?limit=2")
    assert page["has_more"]
    rest = operator("GET", f"accounts/{account['id']}/ledger?limit=2&after={page['next']}")
    assert [e["credits"] for e in page["data"] + rest["data"]] == [0.1, 0.2, -0.3]


def test_a_charged_task_is_refunded(server, operator, account):
    key = operator("POST", f"accounts/{account['id']}/keys", {"mode": "test"})["key"]
    with server.client(key) as client:
        task = client.request("POST", IMAGE, QUICK).json()["id"]
        done = eventually(lambda: (t := client.request("GET", f"/v1/tasks/{task}").json())["status"] == "completed" and t)
        charged = done["usage"]["credits_charged"]
        assert charged > 0
        operator.refused("missing_field", "POST", f"tasks/{task}/refund", {}, "reason", 422)
        for amount in (0, "0", -1):  # only no amount at all means all of it
            operator.refused("out_of_range", "POST", f"tasks/{task}/refund", {"reason": "x", "amount": amount}, "amount", 422)
        back = operator.makes(["task.refunded"], "POST", f"tasks/{task}/refund", {"reason": "it was blurred"})
        assert back["amount"] == charged
        operator.refused("out_of_range", "POST", f"tasks/{task}/refund", {"reason": "again", "amount": 1}, "amount", 422)
        assert client.request("GET", f"/v1/tasks/{task}").json()["usage"] == done["usage"]


def test_usage_and_ledger_are_those_of_the_account(server, operator, account):
    """Operators see what the account itself sees, by the same words."""
    path = f"accounts/{account['id']}"
    key = operator("POST", f"{path}/keys", {"mode": "test", "name": "web"})["key"]
    operator("POST", f"{path}/credits", {"amount": 5, "reason": "=1+1"})
    with server.client(key) as client:
        client.completed(IMAGE, QUICK)
        for question in ("by=day,model,key", "by=model&model=" + QUICK["model"], "key=web&from=2026-01-01&to=2026-02-01"):
            assert operator("GET", f"{path}/usage?mode=test&{question}") == client.get(f"/v1/account/usage?{question}").json()
        assert operator("GET", f"{path}/usage?mode=test")["total"]["completed"] == 1
        assert operator("GET", f"{path}/usage")["total"]["tasks"] == 0
        for table in ("usage?format=csv&by=key&mode=test", "ledger?format=csv", "ledger?format=csv&from=2000-01-01&to=2000-01-02"):
            mine = client.get("/v1/account/" + table.replace("&mode=test", ""))
            theirs = operator.client.request("GET", f"/admin/v1/{path}/{table}")
            assert (theirs.status, theirs.body) == (200, mine.body) and b"\r\n" in mine.body
            assert theirs.headers["Content-Type"] == mine.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "'=1+1" in operator.client.request("GET", f"/admin/v1/{path}/ledger?format=csv").body.decode()
    assert len(operator("GET", f"{path}/ledger")["data"]) == 3
    assert operator("GET", f"{path}/ledger?to=2000-01-01")["data"] == []
    assert len(operator("GET", f"{path}/ledger?from=2000-01-01")["data"]) == 3
    for query, field in (("usage?mode=x", "mode"), ("usage?by=x", "by"), ("ledger?format=x", "format"), ("ledger?from=x", "from")):
        operator.refused("not_allowed_value", "GET", f"{path}/{query}", None, field, 422)
    operator.refused("account_not_found", "GET", "accounts/999999/usage", None, None, 404)
    operator.refused("account_not_found", "GET", "accounts/999999/ledger?format=csv", None, None, 404)


# -- tasks

def test_tasks_of_all_accounts_are_listed_and_shown(server, operator, account):
    key = operator("POST", f"accounts/{account['id']}/keys", {"mode": "test"})["key"]
    with server.client(key) as client:
        tasks = [client.request("POST", IMAGE, QUICK).json()["id"] for _ in range(3)]
        for task in tasks:
            eventually(lambda: client.request("GET", f"/v1/tasks/{task}").json()["status"] == "completed")
    query = f"tasks?account={account['id']}"
    assert [t["id"] for t in operator("GET", query)["data"]] == tasks[::-1]
    page = operator("GET", query + "&limit=2")
    assert [t["id"] for t in page["data"]] == tasks[:0:-1] and page["has_more"]
    rest = operator("GET", f"{query}&limit=2&after={page['next']}")
    assert [t["id"] for t in rest["data"]] == tasks[:1] and not rest["has_more"]
    for more, count in (("&status=completed", 3), ("&status=failed", 0), ("&type=image", 3), ("&type=video", 0),
                        (f"&model={MODEL}", 3), ("&model=other", 0), ("&provider=simulator", 3), ("&provider=fal", 0)):
        assert len(operator("GET", query + more)["data"]) == count, more
    operator.refused("not_allowed_value", "GET", "tasks?status=done", None, "status", 422)
    operator.refused("not_allowed_value", "GET", "tasks?type=film", None, "type", 422)
    operator.refused("not_allowed_value", "GET", "tasks?after=x", None, "after", 422)
    shown = operator("GET", f"tasks/{tasks[0]}")
    assert [e["kind"] for e in shown["events"]] == ["accepted", "dispatched", "completed"]
    assert [(a["number"], a["provider"], a["state"]) for a in shown["attempts"]] == [(1, "simulator", "succeeded")]
    assert shown["artifacts"] and shown["view"]["id"] == tasks[0] and shown["view"]["results"]
    operator.refused("task_not_found", "GET", "tasks/task-unified-1757165031-uyujaw3d", status=404)
    operator.refused("invalid_task_id", "GET", "tasks/x", None, "task_id", 400)


def test_a_task_is_cancelled(server, operator, account):
    key = operator("POST", f"accounts/{account['id']}/keys", {"mode": "test"})["key"]
    with server.client(key) as client:
        task = client.request("POST", IMAGE, HOLD).json()["id"]
        shown = operator.makes(["task.cancel_asked"], "POST", f"tasks/{task}/cancel", {"reason": "asked by mail"})
        assert shown["status"] == "failed" and shown["error"]["code"] == "request_cancelled"
        operator.refused("task_final", "POST", f"tasks/{task}/cancel", status=409)


def test_a_stuck_task_is_tried_again_and_then_fails(server, operator, account):
    key = operator("POST", f"accounts/{account['id']}/keys", {"mode": "test"})["key"]
    with server.client(key) as client:
        before = client.request("GET", "/v1/account/credits").json()["data"]["user"]
        task = client.request("POST", IMAGE, HOLD).json()["id"]
        # Its owner is shown what the engine has done; operators read the store, a moment before the engine goes on.
        eventually(lambda: client.task(task)["status"] == "processing")
        operator.makes(["task.retried"], "POST", f"tasks/{task}/retry", {"reason": "it hangs"})
        eventually(lambda: client.task(task)["status"] == "processing")
        again = operator("GET", f"tasks/{task}")
        assert [a["state"] for a in again["attempts"]] == ["abandoned", "started"], again["attempts"]
        assert [e["kind"] for e in again["events"]] == ["accepted", "dispatched", "retried", "dispatched"]
        assert again["events"][2]["data"] == {"by": "operator", "attempt": 1, "reason": "it hangs"}
        operator.refused("not_allowed_value", "POST", f"tasks/{task}/fail", {"code": "bad"}, "code", 422)
        operator.refused("too_long", "POST", f"tasks/{task}/fail", {"message": "x" * 501}, "message", 422)
        failed = operator.makes(["task.failed"], "POST", f"tasks/{task}/fail",
                                {"code": "service_unavailable", "message": "The service is gone.", "reason": "outage"})
        assert failed["status"] == "failed"
        assert failed["error"] == {"code": "service_unavailable", "message": "The service is gone."}
        assert failed["credits_refunded"] == failed["credits_reserved"] > 0
        assert client.request("GET", f"/v1/tasks/{task}").json()["error"]["message"] == "The service is gone."
        assert client.request("GET", "/v1/account/credits").json()["data"]["user"] == before
        change = operator.changes(f"&account={account['id']}")[0]
        assert change["subject"] == task and change["detail"]["reason"] == "outage"
        for order in ("retry", "fail", "cancel"):
            operator.refused("task_final", "POST", f"tasks/{task}/{order}", status=409)


# -- providers, models, the server

def test_a_paused_provider_holds_its_tasks_over_a_restart(make_server):
    server = make_server()
    operator = Operator(server, server.cli("admin-key", "create").strip())
    key = server.key("one", test=True)
    paused = operator.makes(["provider.paused"], "POST", "providers/simulator/pause", {"reason": "maintenance"})
    assert paused["paused"]["reason"] == "maintenance" and paused["paused"]["by"] == operator.actor
    operator.makes([], "POST", "providers/simulator/pause")
    with server.client(key) as client:
        task = client.request("POST", IMAGE, QUICK).json()["id"]
        eventually(lambda: operator("GET", "providers/simulator")["queued"] == 1)
    assert server.stop() == 0
    server.start()
    operator.client, client = server.client(operator.client.key), server.client(key)
    eventually(lambda: operator("GET", "providers/simulator")["queued"] == 1)
    assert client.request("GET", f"/v1/tasks/{task}").json()["status"] == "pending"
    operator.refused("task_not_retryable", "POST", f"tasks/{task}/retry", status=409)
    resumed = operator.makes(["provider.resumed"], "POST", "providers/simulator/resume")
    assert resumed["paused"] is None
    eventually(lambda: client.request("GET", f"/v1/tasks/{task}").json()["status"] == "completed")
    operator.refused("provider_not_found", "POST", "providers/nobody/pause", status=404)


def test_a_paused_model_takes_nothing_new(make_server):
    server = make_server()
    operator = Operator(server, server.cli("admin-key", "create").strip())
    with server.client(server.key("one", test=True)) as client:
        server.cli("provider", "pause", "simulator")
        eventually(lambda: operator("GET", "providers/simulator")["paused"])
        waiting = client.request("POST", IMAGE, QUICK).json()["id"]
        operator.makes(["model.paused"], "POST", f"models/{MODEL}/pause", {"reason": "bad output"})
        for body in (QUICK, {**QUICK, "dry_run": True}):
            answer = client.request("POST", IMAGE, body)
            assert (answer.status, answer.error()["code"]) == (422, "no_compatible_channel"), answer
            assert "paused" in answer.error()["message"]
        server.cli("provider", "resume", "simulator")
        # The command line is heard by a server that runs; the task leaves the queue, and waits for its model.
        eventually(lambda: operator("GET", "providers/simulator")["queued"] == 0)
        assert client.request("GET", f"/v1/tasks/{waiting}").json()["status"] == "pending"
        operator.refused("task_not_retryable", "POST", f"tasks/{waiting}/retry", status=409)
        assert operator("GET", f"models/{MODEL}")["paused"]["reason"] == "bad output"
        operator.makes(["model.resumed"], "POST", f"models/{MODEL}/resume")
        eventually(lambda: client.request("GET", f"/v1/tasks/{waiting}").json()["status"] == "completed")
        assert client.request("POST", IMAGE, QUICK).status == 200
        operator.refused("no_such_model", "POST", "models/nothing/pause", status=404)
        cli = [c["actor"].split(":")[0] for c in operator.changes() if c["action"].startswith("provider.")]
        assert cli == ["cli", "cli"]


def test_a_paused_entry_holds_all_that_it_stands_for(make_server):
    """An entry with a '*': its tasks bear names of their own, and its name has a slash."""
    server = make_server("simulator = { seconds = 0.1 }\ngroups = { default = { streams = 1, requests_per_minute = 0 } }\ndrain = 0")
    operator = Operator(server, server.cli("admin-key", "create").strip())
    llm, ask = "/v1/llm/generations", {"model": "ollama/any-name", "prompt": "Hello"}
    with server.client(server.key("one", test=True)) as client:
        first = client.submit(llm, {"model": "ollama/other", "prompt": "fennec:rate=1 fennec:tokens=5000"})["id"]
        eventually(lambda: client.task(first)["status"] == "processing")
        waiting = client.submit(llm, ask)["id"]
        assert operator("GET", "models/ollama%2F*")["paused"] is None
        shown = operator.makes(["model.paused"], "POST", "models/ollama%2F%2A/pause", {"reason": "the host is full"})
        assert shown["name"] == "ollama/*" and shown["paused"]["reason"] == "the host is full"
        answer = client.post(llm, ask)
        assert (answer.status, answer.error()["code"]) == (422, "no_compatible_channel"), answer
        operator("POST", f"tasks/{first}/cancel")
        # Now there is a place for it, but it is not what the pause lets go on.
        eventually(lambda: "paused" in operator("POST", f"tasks/{waiting}/retry", status=409)["message"])
        assert client.task(waiting)["status"] == "pending"
        operator.makes(["model.resumed"], "POST", "models/ollama%2F*/resume")
        assert client.finished(waiting)["status"] == "completed"
        operator.refused("route_not_found", "POST", "providers/a%2Fb/pause", status=404)


def test_providers_and_models_are_listed(operator):
    providers = {p["name"]: p for p in operator("GET", "providers")["data"]}
    assert providers["simulator"]["configured"] and providers["simulator"]["models"] >= 50
    assert not providers["fal"]["configured"] and providers["fal"]["missing"]
    assert operator.makes(["provider.reset"], "POST", "providers/fal/reset", {"reason": "mended"})["name"] == "fal"
    models = {m["name"]: m for m in operator("GET", "models")["data"]}
    assert models[MODEL]["routes"] and models[MODEL]["price"] and models[MODEL]["paused"] is None
    assert operator("GET", f"models/{MODEL}") == models[MODEL]


def test_status_settings_groups_and_reload(server, operator):
    # On a machine that stands still for seconds, the engine has not answered for as long.
    status = eventually(lambda: (s := operator("GET", "status"))["problems"] == [] and s)
    assert status["disk"]["free"] > 0 and status["tasks"]["accepted"] >= 0
    settings = {s["name"]: s for s in operator("GET", "settings")["data"]}
    assert settings["drain"]["value"] == 1 and settings["simulator.seconds"]["value"] == 0.2
    assert settings["admin.enabled"]["value"] is True and settings["listen"]["value"].startswith("127.0.0.1:")
    assert settings["providers.NAME.key"]["value"] is None
    groups = {g["name"]: g for g in operator("GET", "groups")["data"]}
    assert groups["double"]["price"] == 2 and groups["slow"]["requests_per_minute"] == 3
    good = server.config.read_text()
    server.config.write_text(good + "\nwrong = 1\n")
    error = operator.refused("invalid_request", "POST", "reload", status=400)
    assert "wrong" in error["message"], error
    server.config.write_text(good.replace("slow    = { price = 1.0", "slow    = { price = 1.5"))
    operator.makes(["settings.reloaded"], "POST", "reload")
    assert {g["name"]: g for g in operator("GET", "groups")["data"]}["slow"]["price"] == 1.5
    server.config.write_text(good)
    operator("POST", "reload")


def test_changes_are_paged(operator, account):
    operator("PATCH", f"accounts/{account['id']}", {"group": "double"})
    page = operator("GET", f"changes?account={account['id']}&limit=1")
    assert [c["action"] for c in page["data"]] == ["account.changed"] and page["has_more"]
    rest = operator("GET", f"changes?account={account['id']}&limit=1&after={page['next']}")
    assert [c["action"] for c in rest["data"]] == ["account.created"] and not rest["has_more"]
    operator.refused("not_allowed_value", "GET", "changes?account=x", None, "account", 422)
