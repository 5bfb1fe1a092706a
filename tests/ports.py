"""Ports that a test names before anybody listens on them."""
import contextlib
import socket


@contextlib.contextmanager
def held_port():
    """A port that the system gives to nobody else meanwhile: servers of the test come and go on it, and while there is none a
    connection to it is refused. It is bound, and so is each of them (SO_REUSEADDR), but only one can listen."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
