"""An HTTP/1.1 server, a thread a connection, that can answer badly on purpose: late, byte by byte, torn, not at all."""
import dataclasses
import gzip
import json
import socket
import struct
import threading
import time
import urllib.parse

HEADERS_MAX, BODY_MAX = 64 << 10, 64 << 20
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 302: "Found", 307: "Temporary Redirect",
           400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
           405: "Method Not Allowed", 409: "Conflict", 422: "Unprocessable Entity", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
           529: "Overloaded"}

# How an answer goes out. The first four arrive; a client can only notice the others by their absence.
MANNERS = ("whole", "gzip", "chunked", "early-close",
           "truncated",  # the body ends in its middle, and the connection with it
           "drip",       # headers, then a byte now and then, for ever
           "trickle",    # not even the headers come to an end
           "reset",      # the connection is reset instead of an answer
           "silent")     # nothing comes, for as long as the client waits


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: dict  # names in small letters
    body: bytes
    at: float = dataclasses.field(default_factory=time.monotonic)

    def __post_init__(self):
        parts = urllib.parse.urlsplit(self.target)
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))

    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass
class Reply:
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    manner: str = "whole"
    stream: object = None  # an iterator of bytes, sent as they come, in chunks; of Holds and endings besides
    hold: object = None    # a threading.Event that is waited for before anything is sent
    gone: bool = False     # the client had closed before the answer was out

    @staticmethod
    def of(status, value, headers=None, manner="whole"):
        headers = {"Content-Type": "application/json", **(headers or {})}
        return Reply(status, headers, json.dumps(value).encode(), manner)


@dataclasses.dataclass
class Hold:
    """In a stream: nothing more is sent until the threading.Event is set, or the client has gone."""
    event: object


# In a stream: it ends there without its last chunk, with a reset, or not at all.
CUT, RESET, SILENT = "cut", "reset", "silent"


class Gone(Exception):
    """The client closed the connection."""


class Connection:
    def __init__(self, connection, stopped):
        self.socket, self.stopped, self.rest = connection, stopped, b""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise Gone
        self.rest += data

    def line_end(self, mark, most):
        while mark not in self.rest:
            if len(self.rest) > most:
                raise ValueError("too much before " + repr(mark))
            self.receive()
        taken, self.rest = self.rest.split(mark, 1)
        return taken

    def take(self, count):
        if count > BODY_MAX:
            raise ValueError(f"a body of {count} bytes")
        while len(self.rest) < count:
            self.receive()
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def request(self):
        first, *lines = self.line_end(b"\r\n\r\n", HEADERS_MAX).decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {}
        for line in lines:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, target, headers, self.body(headers))

    def body(self, headers):
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self.take(int(headers.get("content-length", 0)))
        whole = b""
        while size := int(self.line_end(b"\r\n", 64).split(b";")[0], 16):
            whole += self.take(size)
            self.take(2)
        self.line_end(b"\r\n", HEADERS_MAX)
        return whole

    def send(self, reply):
        """Whether the connection may be used again."""
        if reply.hold is not None:
            self.wait(reply.hold)
        if reply.stream is not None:
            return self.send_stream(reply)
        headers, body = dict(reply.headers), reply.body
        if reply.manner == "gzip":
            headers["Content-Encoding"], body = "gzip", gzip.compress(body)
        if reply.manner in ("reset", "silent", "trickle"):
            return getattr(self, reply.manner)()
        if reply.manner == "chunked":
            return self.send_stream(Reply(reply.status, headers, stream=pieces(body)))
        if reply.manner != "early-close" and reply.status != 204:
            headers["Content-Length"] = str(len(body))
        head = self.head(reply.status, headers)
        if reply.manner == "truncated":
            self.socket.sendall(head + body[:len(body) // 2])
            return False
        if reply.manner == "drip":
            self.socket.sendall(head)
            return self.slowly(body)
        self.socket.sendall(head + body)
        return reply.manner != "early-close"

    def send_stream(self, reply):
        self.socket.sendall(self.head(reply.status, {**reply.headers, "Transfer-Encoding": "chunked"}))
        for piece in reply.stream:
            if isinstance(piece, Hold):
                self.wait(piece.event)
            elif isinstance(piece, str):
                return {CUT: lambda: False, RESET: self.reset, SILENT: self.silent}[piece]()
            else:
                self.socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.socket.sendall(b"0\r\n\r\n")
        return True

    @staticmethod
    def head(status, headers):
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}", *(f"{k}: {v}" for k, v in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def wait(self, event):
        """Until the event is set; notices when the client goes, or the server is stopped, meanwhile."""
        while not event.wait(0.01):
            try:
                if self.stopped.is_set() or not self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                    raise Gone
            except BlockingIOError:
                pass

    def slowly(self, data):
        for byte in data:
            if self.stopped.wait(0.2):
                break
            self.socket.sendall(bytes([byte]))
        return False

    def trickle(self):
        return self.slowly(b"HTTP/1.1 200 OK\r\n" + b"X-Wait: yes\r\n" * 1000)

    def silent(self):
        try:
            while not self.stopped.is_set():
                self.receive()
        except Gone:
            pass
        return False

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False


def pieces(data, size=1 << 14):
    for start in range(0, len(data), size):
        yield data[start:start + size]


class HttpServer:
    """Listens from the start; `handle(request)` gives the Reply, `sent(request, reply)` is told when it is out."""

    def __init__(self, host="127.0.0.1"):
        self.stopped, self.failures, self.connections = threading.Event(), [], set()
        self.listener = socket.create_server((host, 0), backlog=512)
        self.host, self.port = self.listener.getsockname()
        self.url = f"http://{self.host}:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def handle(self, request):
        raise NotImplementedError

    def sent(self, request, reply):
        pass

    def accept(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, accepted):
        try:
            connection = Connection(accepted, self.stopped)
            while not self.stopped.is_set():
                request = connection.request()
                reply = self.handle(request)
                try:
                    usable = connection.send(reply)
                except (OSError, Gone):
                    reply.gone = True
                    raise
                finally:
                    self.sent(request, reply)
                if not usable:
                    break
        except (OSError, Gone):
            pass
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(failure)
        finally:
            self.connections.discard(accepted)
            accepted.close()

    def stop(self):
        """Raises what went wrong in any connection's thread."""
        self.stopped.set()
        for one in [self.listener, *self.connections]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.listener.close()
        if self.failures:
            raise self.failures[0]
