"""Holds a server to its own description: each answer, and each request that was good, against /openapi.json."""
import collections
import functools
import http.client
import json
import re

import jsonschema

PATIENCE_S = 60
# What the server answers to requests that it cannot even read, or that reach no route: those have no operation.
WITHOUT_OPERATION = {400, 404, 405, 408, 411, 413, 414, 417, 431, 500, 501, 503, 505}


class Description:
    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver("", document)
        self.patterns = [(re.compile("^" + re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path)) + "$"), path, methods)
                         for path, methods in document["paths"].items()]

    def operation(self, method, path):
        """(path as described, operation) of a request; None when there is none. HEAD is answered as GET."""
        path = path.split("?")[0].split("#")[0]
        method = {"head": "get"}.get(method.lower(), method.lower())
        for pattern, described, methods in self.patterns:
            if pattern.match(path) and method in methods:
                return described, methods[method]
        return None

    def resolve(self, part):
        while part is not None and "$ref" in part:
            part = self.resolver.resolve(part["$ref"])[1]
        return part

    def narrowed(self, schema, value):
        """Of a choice of models, the one that is meant: a message about that one alone helps."""
        schema = self.resolve(schema)
        for branch in schema.get("oneOf", []):
            model = self.resolve(branch).get("properties", {}).get("model", {})
            if isinstance(value, dict) and "const" in model and model["const"] == value.get("model"):
                return branch
        return schema

    def errors(self, schema, value):
        schema = self.narrowed(schema, value)
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:400]}"
                for error in sorted(validator.iter_errors(value), key=str)]

    def check(self, method, path, status, headers, body, sent=None):
        """Fails unless the answer is one that the operation has. `sent`: the request's body."""
        found = self.operation(method, path)
        told = f"{method} {path} {status}"
        if found is None:
            assert status in WITHOUT_OPERATION or method == "OPTIONS", f"{told}: there is no such operation"
            return
        operation = found[1]
        response = self.resolve(operation["responses"].get(str(status)))
        assert response is not None, f"{told}: the operation has no such answer: {body[:300]!r}"
        for name, header in response.get("headers", {}).items():
            if name == "X-Request-Id" or (name == "Retry-After" and status in (429, 503)):
                assert headers.get(name), f"{told}: there is no {name}"
        self.check_body(told, method, response, headers, body)
        if status == 200 and sent is not None:
            self.check_request(told, operation, headers, sent)

    def check_body(self, told, method, response, headers, body):
        contents = response.get("content")
        kind = (headers.get("Content-Type") or "").split(";")[0]
        if method == "HEAD" or not contents:
            assert method == "HEAD" or not body, f"{told}: a body, of which the description knows nothing"
            return
        assert kind in contents or "*/*" in contents, f"{told}: the answer is {kind}, not one of {list(contents)}"
        if kind != "application/json" or kind not in contents:
            return
        value = json.loads(body)
        assert not (errors := self.errors(contents[kind]["schema"], value)), f"{told}: {errors}: {body[:600]!r}"
        codes = response.get("x-codes")
        if codes is not None and not response.get("x-open") and "error" in value:
            assert value["error"]["code"] in codes, f"{told}: the code is not among {codes}: {body[:300]!r}"

    def check_request(self, told, operation, headers, sent):
        content = self.resolve(operation.get("requestBody") or {}).get("content", {}).get("application/json")
        if content is None or not sent:
            return
        value = json.loads(sent)
        assert not (errors := self.errors(content["schema"], value)), f"{told}: accepted, but {errors}: {sent[:600]!r}"


servers_at = collections.Counter()  # addresses, with the number of servers that had them


def forget_description(address):
    """Another server has the address now, with models of its own: a port comes again."""
    servers_at[address] += 1


def description_of(address):
    return read_description(address, servers_at[address])


@functools.lru_cache(maxsize=64)
def read_description(address, server):
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    connection.request("GET", "/openapi.json")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200, body
    return Description(json.loads(body))
