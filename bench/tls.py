"""`tls`: chat completions from a service behind TLS, as all services outside are: what a crowd waits when every one of its calls
makes a connection, and what is slower, dearer and larger once these stand.

nginx ends TLS before the service of `chat`. Whom the gateways trust is Debian's list of authorities, and the front besides: to read
that list is most of what a connection can cost.
"""
import os
import pathlib
import signal
import subprocess
import tempfile

from chat import CASES, PASSING, TARGETS, TURN_S, WARM_S, Service, load, measured, raise_files, values, versions
from life import wait_for
from nginx import start_nginx
from processes import free_port, spread, stop
from table import Row

TRUSTED = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
FRONT = """
listen 127.0.0.1:%(port)d ssl;
ssl_certificate %(certificate)s;
ssl_certificate_key %(key)s;
location / { proxy_pass http://service; }
"""
TRUST = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS") # where gateways learn of it
CROWD = CASES["whole_64"]


class Front:
    """Ends TLS before the service."""

    def __init__(self, service, options):
        self.folder = tempfile.TemporaryDirectory(dir=options.data)
        root, port = pathlib.Path(self.folder.name), free_port()
        certificate, key, self.trusted = root / "front.pem", root / "front.key", root / "trusted.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=front", "-addext", "subjectAltName=IP:127.0.0.1,DNS:service", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        self.trusted.write_bytes(TRUSTED.read_bytes() + certificate.read_bytes())
        self.process, _ = start_nginx(root, FRONT % {"port": port, "certificate": certificate, "key": key},
                                      PASSING % service.base.removeprefix("http://"))
        self.base = f"https://127.0.0.1:{port}"

    def workers(self):
        return set(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())

    def drop(self):
        """Ends all connections to it: those who serve them go, and others come."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not before & self.workers(), 0.01)

    def close(self):
        stop(self.process)
        self.folder.cleanup()


def measure_tls(options):
    raise_files()
    names = options.gateways
    ret = {"versions": versions(names), "crowd": {name: [] for name in names}, "after": {name: [] for name in names},
           "memory": {}}
    service = Service()
    front, targets = None, {}
    try:
        front = Front(service, options)
        os.environ |= dict.fromkeys(TRUST, str(front.trusted))
        for name in names:
            targets[name] = TARGETS[name](front.base, options)
            load(targets[name], CROWD, WARM_S)
        for number in range(options.rounds * options.seconds):
            for place in range(len(names)):
                name = names[(number + place) % len(names)]
                front.drop()
                ret["crowd"][name].append(measured(targets[name], service, CROWD, TURN_S))
                ret["after"][name].append(measured(targets[name], service, CROWD, TURN_S))
        for name, target in targets.items():
            ret["memory"][name] = target.memory_bytes()
    finally:
        for target in targets.values():
            target.close()
        if front:
            front.close()
        for name in TRUST:
            os.environ.pop(name, None)
        stop(service.process)
    return ret


def print_tls(result):
    print("chat completions from a service behind TLS, 64 connections"
          + "".join(f", {name} {version}" for name, version in result["versions"].items()))
    for name, after in result["after"].items():
        crowd = [most / 1000 for most in values(result["crowd"][name], "latency_us", "most")]
        print(f"  {name:8} the slowest of a crowd that makes connections {spread(crowd, 0)} ms; then "
              f"{spread(values(after, 'rate'), 0)} answers/s, {spread(values(after, 'cpu_us'), 1)} µs CPU each, failed "
              f"{sum(values(after + result['crowd'][name], 'failed'))}; resident {result['memory'][name][0] / 2**20:.0f} MiB")


def rows_tls(result):
    names = list(result["after"])
    title = "chat from a service behind TLS, 64 connections"

    def row(what, unit, part, *path, divisor=1, **more):
        return Row(f"{title}: {what}", unit, {name: [value / divisor for value in values(result[part][name], *path)] for name in names}, **more)

    return [row("the slowest answer of those that make them", "ms", "crowd", "latency_us", "most", divisor=1000),
            row("answers", "per second", "after", "rate", more=True),
            row("CPU", "µs each", "after", "cpu_us")]
