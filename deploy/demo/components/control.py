"""The control socket of a component: switches a bug on for as long as the client stays connected.

A client sends one line, `NAME NUMBER... SECONDS`, and receives `begun` or `error: ...`. The command
ends when the client hangs up or when the seconds have passed; its effects are undone, and the
client receives `ended`. So no command outlives a client that was killed.
"""

import os
import select
import socket
import threading
import time
from contextlib import contextmanager

MAX_SECONDS = 24 * 3600
MAX_LINE_BYTES = 200


class CommandError(Exception):
    """The command cannot be executed; the text says why."""


class Command:
    """A command that is being executed. `stopped` is set when it ends."""

    def __init__(self, name, seconds, client):
        self.name, self.seconds, self.client = name, seconds, client
        self.stopped = threading.Event()


def listen(path):
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(8)
    return listener


def serve(path, commands):
    """Serves the control socket on background threads.

    `commands` maps a name to a function that takes the `Command` and its numbers and returns a
    context manager.
    """
    server = _Server(commands)
    threading.Thread(target=server.accept, args=(listen(path),), daemon=True).start()


def parse(line, names):
    """Returns the command's name, its arguments as text, and its seconds."""
    words = line.split()
    if not words or words[0] not in names:
        expected = ", ".join(sorted(names))
        raise CommandError(f"unknown command `{' '.join(words[:1])}`, expected one of {expected}")
    *arguments, seconds = words[1:] or [""]
    seconds = parse_number(seconds, "a number of seconds")
    if not 0 < seconds <= MAX_SECONDS:
        raise CommandError(
            f"expected more than 0 and at most {MAX_SECONDS} seconds, found {seconds:g}"
        )
    return words[0], arguments, seconds


def parse_number(text, expected="a number"):
    try:
        value = float(text)
    except ValueError:
        raise CommandError(f"expected {expected}, found `{text}`") from None
    if not 0 <= value < 1e9:
        raise CommandError(f"expected {expected}, found `{text}`")
    return value


class _Server:
    def __init__(self, commands):
        self.commands = commands
        self.running = set()
        self.lock = threading.Lock()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                # No file descriptor is left, perhaps because of the bug `files`.
                time.sleep(0.1)
                continue
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        with client:
            try:
                try:
                    self._execute(client)
                except CommandError as error:
                    client.sendall(f"error: {error}\n".encode())
            except OSError:
                # The client hung up before it could be answered.
                return

    def _execute(self, client):
        name, arguments, seconds = parse(read_line(client), self.commands)
        command = Command(name, seconds, client)
        try:
            effect = self.commands[name](command, *(parse_number(text) for text in arguments))
        except TypeError:
            raise CommandError(f"`{name}` does not take {len(arguments)} arguments") from None
        with self._exclusive(name), effect:
            try:
                client.sendall(b"begun\n")
                wait_for_hang_up(client, seconds)
            finally:
                command.stopped.set()
        client.sendall(b"ended\n")

    @contextmanager
    def _exclusive(self, name):
        """Prevents two commands of the same name from undoing each other."""
        with self.lock:
            if name in self.running:
                raise CommandError(f"`{name}` is already running")
            self.running.add(name)
        try:
            yield
        finally:
            with self.lock:
                self.running.discard(name)


def read_line(client):
    client.settimeout(5)
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
        more = client.recv(MAX_LINE_BYTES)
        if not more:
            break
        line += more
    client.settimeout(None)
    return line.decode(errors="replace").strip()


def wait_for_hang_up(client, seconds):
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([client], [], [], left)[0] and not client.recv(MAX_LINE_BYTES):
            return
