"""TLS before a service: an authority that makes certificates, and a front that speaks TLS and passes the bytes on."""
import contextlib
import datetime
import ipaddress
import pathlib
import select
import socket
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
PIECE = 1 << 16
LOOK_S = 0.02


def subject(words):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])


class Authority:
    """`file` is its own certificate, for those who shall trust it."""

    def __init__(self, directory, words="An authority of the tests"):
        self.directory, self.name, self.key = pathlib.Path(directory), subject(words), ec.generate_private_key(ec.SECP256R1())
        self.directory.mkdir()
        self.file = self.directory / "authority.pem"
        own = self.sign(self.name, self.key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def sign(self, name, key, *extensions, ended=False):
        now = datetime.datetime.utcnow()
        first, last = (now - 3 * DAY, now - DAY) if ended else (now - DAY, now + DAY)
        builder = x509.CertificateBuilder(self.name, name, key, x509.random_serial_number(), first, last)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256())

    def context(self, host="127.0.0.1", ended=False):
        """A server's, with a certificate for that address or name, which lies in its `file`; `ended`: until yesterday."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        made = self.sign(subject(host), key.public_key(), x509.SubjectAlternativeName([name]), ended=ended)
        file = self.directory / f"{made.serial_number}.pem"
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.file = file
        return context


class Front:
    """Listens for TLS, and passes on what comes to the service and back. `met`: how many came, believing it or not."""

    def __init__(self, service, context, protocols=("h2", "http/1.1")):
        """It offers what real services offer, although it can but pass on what is behind it: HTTP/1.1."""
        context.set_alpn_protocols(list(protocols))
        self.context, self.target = context, (service.host, service.port)
        self.connections, self.met, self.open, self.drops, self.lock = [], 0, 0, 0, threading.Condition()
        self.listener = socket.create_server((service.host, 0), backlog=512)
        self.pair = f"{service.host}:{self.listener.getsockname()[1]}"
        self.url = "https://" + self.pair
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, accepted):
        with self.lock:
            self.met += 1
        try:
            client = self.context.wrap_socket(accepted, server_side=True)
        except (OSError, ValueError):
            accepted.close()
            return
        with self.lock:
            self.connections.append({"protocol": client.selected_alpn_protocol(), "resumed": client.session_reused})
            self.open, drops = self.open + 1, self.drops
        try:
            with contextlib.suppress(OSError), client, socket.create_connection(self.target) as service:
                self.carry(client, service, drops)
        finally:
            with self.lock:
                self.open -= 1
                self.lock.notify_all()

    def carry(self, client, service, drops):
        """Until one of the two ends, or all shall: then the client is told, as TLS has it."""
        while True:
            readable = [client] if client.pending() else select.select([client, service], [], [], LOOK_S)[0]
            for source, sink in ((client, service), (service, client)):
                if source in readable:
                    piece = source.recv(PIECE)
                    if not piece:
                        return
                    sink.sendall(piece)
            if self.drops != drops:
                client.setblocking(False)
                with contextlib.suppress(ssl.SSLWantReadError):
                    client.unwrap()
                return

    def drop(self):
        """Ends the connections that there are, and waits until they are ended."""
        with self.lock:
            self.drops += 1
            assert self.lock.wait_for(lambda: self.open == 0, 60)

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
