"""A network of hosts: each is a network namespace, and a router joins them that can lose what goes to a host or comes from it,
without a word to anybody, as cables and forgetful boxes on the way do. Root's to make; it goes with its last descriptor."""
import contextlib
import ctypes
import os
import pathlib
import subprocess

NEW_NETWORK = 0x40000000  # CLONE_NEWNET, namespaces(7)
LIBC = ctypes.CDLL(None, use_errno=True)
ALL = "pfifo limit 0"  # a queue that has no place: what is lost


def enter(namespace):
    """The calling thread, and what it starts from then on."""
    if LIBC.setns(namespace, NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def own_namespace():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Host:
    """`with host.inside():` is within it: sockets, processes and threads that are made there belong to it for ever."""

    def __init__(self):
        before = own_namespace()
        if LIBC.unshare(NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        self.namespace = own_namespace()
        enter(before)
        os.close(before)
        self.run("ip link set lo up")

    @contextlib.contextmanager
    def inside(self):
        before = own_namespace()
        try:
            enter(self.namespace)
            yield self
        finally:
            enter(before)
            os.close(before)

    def run(self, command, may_fail=False):
        with self.inside():
            done = subprocess.run(command.split(), capture_output=True, text=True)
        assert may_fail or done.returncode == 0, (command, done.stderr)

    def close(self):
        os.close(self.namespace)


def link(number, last):
    """The address of an end of a wire."""
    return f"02:00:00:00:{number:02x}:{last:02x}"


class Member(Host):
    """A host of the network, at `address` of version 4 and `address_6`."""

    def __init__(self, router, number):
        super().__init__()
        self.router = router
        self.address, self.address_6 = f"10.77.{number}.2", f"2001:db8:77:{number}::2"
        self.wire = f"to-{number}"
        router.run(f"ip link add name {self.wire} type veth peer name wire netns /proc/{os.getpid()}/fd/{self.namespace}")
        ends = (router, self.wire, 1), (self, "wire", 2)
        for host, device, last in ends:
            host.run(f"ip link set {device} address {link(number, last)} up")
            host.run(f"ip address add 10.77.{number}.{last}/24 dev {device}")
            host.run(f"ip address add 2001:db8:77:{number}::{last}/64 dev {device} nodad")
        for (host, device, _), (*_, last) in zip(ends, reversed(ends)):  # else who finds no neighbour would be told
            for address in f"10.77.{number}.{last}", f"2001:db8:77:{number}::{last}":
                host.run(f"ip neighbour replace {address} lladdr {link(number, last)} dev {device} nud permanent")
        self.run(f"ip route add default via 10.77.{number}.1")
        self.run(f"ip route add default via 2001:db8:77:{number}::1")

    def ends(self, to=True, of=True):
        """The two queues that what goes to the host and comes from it has to pass."""
        return ([(self.router, self.wire)] if to else []) + ([(self, "wire")] if of else [])

    def queue(self, words, **which):
        for host, device in self.ends(**which):
            host.run(f"tc qdisc replace dev {device} root {words}")

    def lose(self, **which):
        """What goes to it and comes from it, or, with to or of = False, one of the two, until `find`."""
        self.queue(ALL, **which)

    def slow_down(self, rate, **which):
        self.queue(f"tbf rate {rate} burst 16k latency 1s", **which)

    def find(self):
        for host, device in self.ends():
            host.run(f"tc qdisc del dev {device} root", may_fail=True)


class Network:
    def __init__(self):
        self.router, self.members = Host(), []
        with self.router.inside():
            pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            pathlib.Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")

    def host(self):
        self.members.append(Member(self.router, len(self.members) + 1))
        return self.members[-1]

    def close(self):
        for one in [*self.members, self.router]:
            one.close()
