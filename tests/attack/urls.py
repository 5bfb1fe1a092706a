"""The list of URLs from outside, urls.txt, and those of them that would reach a listener on this machine."""
import ipaddress
import pathlib
import re
import socket
import urllib.parse


class Listed:
    def __init__(self, verdict, url, reason):
        self.verdict, _, addresses = verdict.partition("=")
        self.addresses = addresses.split(",") if addresses else []
        self.bytes = re.sub(rb"\\(x..|\\|e)", self.byte, url.encode())
        self.url, self.reason = self.bytes.decode("latin-1"), reason

    @staticmethod
    def byte(match):
        word = match.group(1)
        return bytes([int(word[1:], 16)]) if word[:1] == b"x" else b"" if word == b"e" else word

    @property
    def text(self):
        """As JSON can carry it; None when it is no text."""
        try:
            return self.bytes.decode()
        except UnicodeDecodeError:
            return None

    @property
    def host(self):
        return urllib.parse.urlsplit(self.url).hostname

    def __repr__(self):
        return f"{self.url!r} ({self.reason})"


def listed():
    lines = (pathlib.Path(__file__).with_name("urls.txt")).read_text().splitlines()
    return [Listed(*line.split(None, 2)) for line in lines if line and not line.startswith("#")]


def of(*verdicts):
    return [one for one in listed() if one.verdict in verdicts]


def reaches_us(host):
    """Whether a connection to that host would come to a listener on loopback."""
    host = urllib.parse.unquote(host).strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        address = address.ipv4_mapped or address
    return address.is_loopback or address.is_unspecified


def at_port(port):
    """Every spelling of this machine in the list, with that port in the place of its own."""
    found = []
    for one in of("inside"):
        match = re.match(r"(?i)(https?://)(\[[^]]*\]|[^/?#:]*)(:\d*)?", one.url)
        if reaches_us(match.group(2)):
            found.append(f"http://{match.group(2)}:{port}/bait")
    return sorted(set(found))
