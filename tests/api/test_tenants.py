"""S2, for every route there is: what is another account's answers exactly as what does not exist.

The routes are those of /openapi.json, so that a new one cannot be forgotten: one with a path parameter that this file makes
no object for fails a test.
"""
import http.client
import json
import urllib.parse

import pytest

from catalogue import IMAGE
from client import PATIENCE_S, Client, eventually
from described import description_of

LLM = "/v1/llm/generations"


def swap_end(identifier, end):
    assert not identifier.endswith(end)
    return identifier[:-len(end)] + end


def another(identifier):
    """The same with another last character."""
    return identifier[:-1] + ("8" if identifier[-1] == "9" else "9")


class Owner:
    """An account that has one of everything; `objects` has, for each path parameter, pairs of an id of its own and one of the
    same form that nobody has."""

    def __init__(self, server):
        self.key = server.key("tenant-b", credits=1000)
        self.test_key = server.key("tenant-b", test=True)
        self.objects = {}
        with server.client(self.key) as live, server.client(self.test_key) as test:
            self.make_tasks(live, test)
            self.make_files(live)
            self.make_callbacks(live)
            self.own_paths = self.read_own(live)

    def make_tasks(self, live, test):
        ended = live.completed(IMAGE, {"model": "local-image", "prompt": "of B", "image_size": {"width": 64, "height": 64}})["id"]
        played = test.completed(IMAGE, {"model": "local-image", "prompt": "of B"})["id"]
        asked = test.submit(LLM, {"model": "gpt-5.5", "prompt": "of B", "stream": True})["id"]
        self.idempotent = {"Idempotency-Key": "of-b"}
        self.idempotent_body = {"model": "local-image", "prompt": "of B, once"}
        repeated = test.request("POST", IMAGE, self.idempotent_body, self.idempotent).json()["id"]
        self.objects["task_id"] = [(one, swap_end(one, "zzzzzzzz")) for one in (ended, played, asked, repeated)]
        test.finished(asked)
        test.finished(repeated)

    def make_files(self, live):
        file = live.post("/v1/files/upload/base64", {"file_data": "T2YgQi4=", "file_name": "of-b.txt"}).json()
        self.file = file
        self.objects["file_id"] = [(file["id"], swap_end(file["id"], "zzzzzz"))]

    def make_callbacks(self, live):
        live.submit(IMAGE, {"model": "local-image", "prompt": "of B", "callback_url": "https://of-b.invalid/told"})
        callback, = eventually(lambda: live.get("/v1/callbacks").json()["data"])
        self.objects["callback_id"] = [(callback["id"], another(callback["id"]))]

    def read_own(self, live):
        """What B itself reads, to be the same afterwards."""
        paths = [f"/v1/tasks/{self.objects['task_id'][0][0]}", f"/v1/files/{self.file['id']}"]
        return {path: live.get(path).body for path in paths}

    def secrets(self):
        return [own for pairs in self.objects.values() for own, _ in pairs] + ["of-b.txt", "of-b.invalid", "tenant-b"]


@pytest.fixture(scope="module")
def owner(server):
    return Owner(server)


@pytest.fixture(scope="module")
def stranger_key(server):
    return server.key("tenant-a", credits=1000)


def operations(server):
    for path, methods in description_of(server.address).document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def needs(operation, scheme):
    return any(scheme in one for one in operation["security"])


def parameters_of(path):
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def filled(path, values):
    for name, value in values.items():
        path = path.replace("{" + name + "}", urllib.parse.quote(value, safe=""))
    return path


def body_of(operation):
    contents = operation.get("requestBody", {}).get("content", {})
    return {} if "application/json" in contents else None


def ask(client, method, path, operation):
    """(status, body); of a stream that begins, the status alone."""
    headers = {"Authorization": f"Bearer {client.key}"} if client.key else {}
    body = body_of(operation)
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(client.address, timeout=PATIENCE_S)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    streams = response.headers.get("Content-Type", "").startswith("text/event-stream")
    answer = response.status, None if streams else response.read(), streams
    connection.close()
    return answer


def test_there_is_an_object_for_every_parameter(server, owner):
    for method, path, operation in operations(server):
        if operation["security"] and not needs(operation, "admin"):
            for name in parameters_of(path):
                assert name in owner.objects, f"{method} {path}: this test makes no object for {{{name}}}"


def test_what_is_anothers_is_not_there(server, owner, stranger_key):
    asked = 0
    with server.client(stranger_key) as client:
        for method, path, operation in operations(server):
            names = parameters_of(path)
            if not names or not needs(operation, "key"):
                continue
            assert len(names) == 1, f"{method} {path}: more than one object at a time"
            for own, missing in owner.objects[names[0]]:
                found = ask(client, method, filled(path, {names[0]: own}), operation)
                nothing = ask(client, method, filled(path, {names[0]: missing}), operation)
                assert found == nothing, f"{method} {path}: {own}: {found} is not {nothing}"
                assert found[0] in (404, 410), f"{method} {path}: {found}"
                asked += 1
    assert asked > 10
    with server.client(owner.key) as client:
        for path, body in owner.own_paths.items():
            assert client.get(path).body == body, f"{path} was changed by a stranger"


def test_lists_and_sums_say_nothing_of_others(server, owner, stranger_key):
    with server.client(stranger_key) as client:
        for method, path, operation in operations(server):
            if method == "GET" and not parameters_of(path) and needs(operation, "key"):
                answer = client.get(path)
                assert answer.status in (200, 422), (path, answer)
                for secret in owner.secrets():
                    assert secret.encode() not in answer.body, f"{path} shows {secret}"


def test_an_idempotency_key_is_its_accounts(server, owner):
    with server.client(server.key("tenant-a", test=True)) as client:
        mine = client.request("POST", IMAGE, owner.idempotent_body, owner.idempotent).json()["id"]
        assert mine not in [own for own, _ in owner.objects["task_id"]]
        client.finished(mine)


@pytest.mark.parametrize("key", [None, "Bearer sk-live-" + "x" * 43, "Basic eDp5"])
def test_every_route_wants_its_key(server, owner, key):
    client = Client(server.address, None)
    for method, path, operation in operations(server):
        if not operation["security"]:
            continue
        values = {name: owner.objects.get(name, [("1", "1")])[0][0] for name in parameters_of(path)}
        headers = {"Authorization": key} if key else {}
        answer = client.request(method, filled(path, values), body_of(operation), headers)
        assert answer.status == 401, (method, path, answer)


def test_operators_routes_are_for_operators(server, owner, stranger_key):
    keys = [stranger_key, owner.key, owner.test_key]
    for method, path, operation in operations(server):
        if not needs(operation, "admin"):
            continue
        for key in keys:
            with server.client(key) as client:
                values = {name: owner.objects.get(name, [("1", "1")])[0][0] for name in parameters_of(path)}
                answer = client.request(method, filled(path, values), body_of(operation))
                assert (answer.status, answer.error()["code"]) == (403, "not_admin"), (method, path, answer)
