"""What tests say to a server: requests over http.client, raw bytes over a socket, and waiting for a state."""
import http.client
import json
import re
import socket
import time

from described import description_of

TASK_ID = re.compile(r"^task-unified-[0-9]{10}-[a-z0-9]{8}$")
PATIENCE_S = 60


def eventually(question, patience_s=PATIENCE_S):
    """The first truthy answer; fails when there was none in time."""
    end = time.monotonic() + patience_s
    pause_s = 0.01
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"still not, after {patience_s} s"
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.25)


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def error(self):
        """The error object, after checking that it has the shape that all have."""
        assert self.headers.get("Content-Type") == "application/json", self.body
        assert self.headers.get("X-Request-Id"), self.headers
        body = self.json()
        assert list(body) == ["error"], body
        assert list(body["error"]) == ["message", "type", "code", "param"], body
        assert body["error"]["message"], body
        return body["error"]

    def __repr__(self):
        return f"<{self.status} {self.body[:500]!r}>"


class Client:
    """One account's connection; opens again when the server has closed it. Every answer must be one that the server's own
    description has, and what was accepted must be what it says of requests."""

    def __init__(self, address, key=None):
        self.address, self.key = address, key
        self.connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.key is not None and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.key}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            self.connection.request(method, path, body=body, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has answered before it had read all, and waited for us as long as it does
        response = self.connection.getresponse()
        answer = Response(response.status, response.headers, response.read())
        description_of(self.address).check(method, path, answer.status, answer.headers, answer.body, body)
        return answer

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, body, headers)

    def submit(self, endpoint, body):
        """The submission's answer, which must be one."""
        response = self.post(endpoint, body)
        assert response.status == 200, response
        return response.json()

    def task(self, task_id):
        response = self.get(f"/v1/tasks/{task_id}")
        assert response.status == 200, response
        return response.json()

    def finished(self, task_id, patience_s=PATIENCE_S):
        """The task once it is final; on the way its progress never goes down."""
        seen = [0]

        def look():
            task = self.task(task_id)
            assert task["progress"] >= seen[-1], (task, seen)
            seen.append(task["progress"])
            assert (task["results"] is not None) == (task["status"] == "completed"), task
            assert (task["error"] is not None) == (task["status"] == "failed"), task
            return task if task["status"] in ("completed", "failed") else None

        return eventually(look, patience_s)

    def run(self, endpoint, body, patience_s=PATIENCE_S):
        return self.finished(self.submit(endpoint, body)["id"], patience_s)

    def completed(self, endpoint, body, patience_s=PATIENCE_S):
        task = self.run(endpoint, body, patience_s)
        assert task["status"] == "completed", task
        return task

    def credits(self):
        response = self.get("/v1/account/credits")
        assert response.status == 200, response
        return response.json()["data"]["user"]["remaining_credits"]

    def download(self, url, headers=None):
        """What a result URL gives, without a key."""
        assert url.startswith(f"http://{self.address}/v1/artifacts/"), url
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE_S)
        connection.request("GET", url.split(self.address, 1)[1], headers=headers or {})
        response = connection.getresponse()
        result = Response(response.status, response.headers, response.read())
        connection.close()
        return result


class Raw:
    """A socket on which a test says exactly what it wants."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False  # the server answered before it had read all

    def response(self, method="GET"):
        """The next answer; None when the server closed without one."""
        line = self.read_line()
        if line is None:
            return None
        version, status = line.split(b" ")[:2]
        assert version == b"HTTP/1.1", line
        headers = http.client.parse_headers(self.file)
        length = int(headers.get("Content-Length", 0))
        bodyless = method == "HEAD" or int(status) in (100, 204, 304)
        body = b"" if bodyless else self.file.read(length)
        return Response(int(status), headers, body)

    def read_line(self):
        try:
            line = self.file.readline()
        except ConnectionResetError:
            return None
        return line if line else None

    def closed(self):
        """Whether the server closes, after whatever it still sends."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True
