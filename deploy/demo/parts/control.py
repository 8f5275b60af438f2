"""How a part takes orders: one line on its unix socket, obeyed for as long as the client stays on the line.

The line is `NAME NUMBER... SECONDS`. The answer is `begun` or `error: ...`. The order ends when the client hangs up or when the seconds
are over, and then all of it is undone: so no order outlives a client that was killed.
"""

import os
import select
import socket
import threading
import time
from contextlib import contextmanager

LONGEST_SECONDS = 24 * 3600
LONGEST_LINE = 200


class Refused(Exception):
    """The order cannot be obeyed; the text says why."""


class Order:
    """An order under way. `over` is set when it ends."""

    def __init__(self, name, seconds, client):
        self.name, self.seconds, self.client = name, seconds, client
        self.over = threading.Event()


def listen(path):
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(8)
    return listener


def serve(path, orders):
    """Obeys, on threads of its own. `orders` maps a name to a function of the order and its numbers, which returns a context manager."""
    threading.Thread(target=_Servant(orders).accept, args=(listen(path),), daemon=True).start()


def parse(line, names):
    """The order's name, its arguments as text, and its seconds."""
    words = line.split()
    if not words or words[0] not in names:
        raise Refused(f"unknown order `{' '.join(words[:1])}`, expected one of {', '.join(sorted(names))}")
    *arguments, seconds = words[1:] or [""]
    seconds = number(seconds, "a number of seconds")
    if not 0 < seconds <= LONGEST_SECONDS:
        raise Refused(f"expected more than 0 and at most {LONGEST_SECONDS} seconds, found {seconds:g}")
    return words[0], arguments, seconds


def number(text, what="a number"):
    try:
        value = float(text)
    except ValueError:
        raise Refused(f"expected {what}, found `{text}`") from None
    if not 0 <= value < 1e9:
        raise Refused(f"expected {what}, found `{text}`")
    return value


class _Servant:
    def __init__(self, orders):
        self.orders = orders
        self.under_way = set()
        self.lock = threading.Lock()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                # No descriptor is left, which can be what was ordered.
                time.sleep(0.1)
                continue
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        with client:
            try:
                try:
                    self._obey(client)
                except Refused as refused:
                    client.sendall(f"error: {refused}\n".encode())
            except OSError:
                # The client has gone before it could be told.
                return

    def _obey(self, client):
        name, arguments, seconds = parse(read_line(client), self.orders)
        order = Order(name, seconds, client)
        try:
            undone_at_the_end = self.orders[name](order, *(number(text) for text in arguments))
        except TypeError:
            raise Refused(f"`{name}` was given {len(arguments)} arguments, which is not what it takes") from None
        with self._alone(name), undone_at_the_end:
            try:
                client.sendall(b"begun\n")
                wait_for_hang_up(client, seconds)
            finally:
                order.over.set()
        client.sendall(b"ended\n")

    @contextmanager
    def _alone(self, name):
        """Two of a kind would undo each other."""
        with self.lock:
            if name in self.under_way:
                raise Refused(f"`{name}` is under way")
            self.under_way.add(name)
        try:
            yield
        finally:
            with self.lock:
                self.under_way.discard(name)


def read_line(client):
    client.settimeout(5)
    line = b""
    while not line.endswith(b"\n") and len(line) < LONGEST_LINE:
        more = client.recv(LONGEST_LINE)
        if not more:
            break
        line += more
    client.settimeout(None)
    return line.decode(errors="replace").strip()


def wait_for_hang_up(client, seconds):
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([client], [], [], left)[0] and not client.recv(LONGEST_LINE):
            return
