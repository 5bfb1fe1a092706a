"""A proxy on the way out, as companies have: it makes tunnels (CONNECT) and passes plain requests on, or refuses to."""
import contextlib
import select
import socket
import urllib.parse

from . import wire


class Proxy(wire.HttpServer):
    """`asked`: the method, the target and the headers of each request. `refusal`: the status that it answers all with; 0:
    none."""

    def __init__(self):
        self.asked, self.refusal = [], 0
        super().__init__()

    def serve(self, accepted):
        connection = wire.Connection(accepted, self.stopped)
        with contextlib.suppress(OSError, wire.Gone), accepted:
            while True:
                request = connection.request()
                self.asked.append((request.method, request.target, request.headers))
                if self.refusal:
                    connection.send(wire.Reply(self.refusal))
                elif request.method == "CONNECT":
                    self.tunnel(accepted, request.target)
                    break
                else:
                    accepted.sendall(self.passed_on(request))
        self.connections.discard(accepted)

    @staticmethod
    def tunnel(client, target):
        host, port = target.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as service:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                for source in select.select([client, service], [], [])[0]:
                    piece = source.recv(1 << 16)
                    if not piece:
                        return
                    (service if source is client else client).sendall(piece)

    @staticmethod
    def passed_on(request):
        """The service's answer, which ends its connection."""
        url = urllib.parse.urlsplit(request.target)
        headers = {**request.headers, "connection": "close"}
        head = [f"{request.method} {url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        with socket.create_connection((url.hostname, url.port)) as service:
            service.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + request.body)
            answer = b""
            while True:
                piece = service.recv(1 << 16)
                answer += piece
                head, _, body = answer.partition(b"\r\n\r\n")
                length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                               if line.startswith(b"content-length:")), None)
                if not piece or (length is not None and len(body) >= length):
                    return answer
