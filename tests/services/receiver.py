"""Whoever is called back: an HTTP server that notes what comes and behaves as a test wants, path by path."""
import base64
import hashlib
import hmac
import socket
import struct
import threading
import time


class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.at = time.monotonic()

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def timestamp(self):
        return int(self.headers["webhook-timestamp"])

    def signatures(self):
        return self.headers["webhook-signature"].split(" ")


def signature(secret, request):
    """What Standard Webhooks has a sender write for this secret."""
    assert secret.startswith("whsec_")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert 24 <= len(key) <= 64
    message = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    return "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def verified(secret, request):
    return any(hmac.compare_digest(signature(secret, request), one) for one in request.signatures())


# -- behaviours: what is done with a connection once the request is read

def status(code, body=b"", **headers):
    def behave(connection, _ended):
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join([f"HTTP/1.1 {code} So", f"Content-Length: {len(body)}", *lines, "Connection: close", "", ""])
        connection.sendall(head.encode() + body)
    return behave


def hang(_connection, ended):
    ended.wait(120)


def reset(connection, _ended):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def slow_head(connection, ended):
    for byte in b"HTTP/1.1 200 " + b"y" * 1000:  # not even the line of the status comes to an end
        connection.sendall(bytes([byte]))
        if ended.wait(1):
            return


def slow_body(connection, ended):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"z")
        if ended.wait(0.5):
            return


def huge(connection, _ended):
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    try:
        for _ in range(4096):
            connection.sendall(b"h" * 65536)
    except OSError:
        pass  # cut off, as it should be


class Receiver:
    """Listens at once; `behave` maps paths to behaviours, all others are answered 200."""

    def __init__(self, host="127.0.0.1", port=0):
        self.behave, self.requests, self.lock, self.ended = {}, [], threading.Condition(), threading.Event()
        self.open = 0
        self.listener = socket.create_server((host, port), backlog=1024)
        self.host, self.port = self.listener.getsockname()[:2]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, path="/", host=None):
        return f"http://{host or self.host}:{self.port}{path}"

    @property
    def pair(self):
        return f"{self.host}:{self.port}"

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with self.lock:
            self.open += 1
        try:
            connection.settimeout(120)
            self.answer(connection)
        except OSError:
            pass
        finally:
            with self.lock:
                self.open -= 1
                self.lock.notify_all()
            connection.close()

    def answer(self, connection):
        with connection.makefile("rb") as file:
            words = file.readline().split()
            if len(words) < 2:
                return
            headers = {}
            while line := file.readline().strip():
                name, value = line.decode().split(":", 1)
                headers[name.strip().lower()] = value.strip()
            body = file.read(int(headers.get("content-length", 0)))
            path = words[1].decode()
            with self.lock:
                self.requests.append(Request(path, headers, body))
                behave = self.behave.get(path.split("?")[0], status(200))
                self.lock.notify_all()
            behave(connection, self.ended)

    def at(self, path):
        with self.lock:
            return [one for one in self.requests if one.path == path]

    def wait(self, path, count=1, patience_s=60):
        """The requests to that path once there are so many."""
        with self.lock:
            assert self.lock.wait_for(lambda: len([r for r in self.requests if r.path == path]) >= count, patience_s), \
                f"{len(self.at_locked(path))} of {count} came to {path}"
            return self.at_locked(path)

    def at_locked(self, path):
        return [one for one in self.requests if one.path == path]

    def close(self):
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
