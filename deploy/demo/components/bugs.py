"""The bugs of a web worker that can be switched on through its control socket.

Each bug is bounded, and the worker recovers fully when the bug is switched off.
"""

import json
import os
import re
import socket
import time
from contextlib import contextmanager

import leaks
import log
import settings
from background import repeat_at_rate, run_in_background
from control import CommandError

MB = 1 << 20
MAX_FLOOD_MB = 256
MAX_DELAY_MS = 10_000


def commands(worker, acceptor):
    """Returns the commands of a web worker's control socket, by name."""

    def bind(bug):
        return lambda command, *numbers: bug(command, worker, *numbers)

    worker_bugs = (
        loop,
        stuck,
        slow,
        flood,
        crash,
        leaks.leak,
        leaks.threads,
        leaks.files,
        leaks.connections,
    )
    bugs = {bug.__name__: bind(bug) for bug in worker_bugs}
    return bugs | {"no-accept": lambda command: stop_accepting(worker, acceptor)}


@contextmanager
def loop(command, worker):
    """Runs a catastrophically backtracking regular expression in a loop.

    Each match holds the interpreter lock for tens of milliseconds.
    """
    letters = 12
    while _match_seconds(letters) < 0.03 and letters < 40:
        letters += 1

    def run():
        while not command.stopped.is_set():
            _match_seconds(letters)

    with run_in_background(run):
        yield


@contextmanager
def stuck(command, worker):
    """Holds the lock that each request needs."""

    def hold():
        with worker.request_lock:
            command.stopped.wait()

    with run_in_background(hold):
        yield


@contextmanager
def stop_accepting(worker, acceptor):
    """Accepts no connections, so that the kernel's accept queue fills."""
    worker.is_accepting = False
    acceptor.wake()
    try:
        yield
    finally:
        worker.is_accepting = True
        acceptor.wake()


@contextmanager
def slow(command, worker, milliseconds):
    """Delays each response."""
    if milliseconds > MAX_DELAY_MS:
        raise CommandError(f"expected at most {MAX_DELAY_MS} milliseconds, found {milliseconds:g}")
    worker.delay_seconds = milliseconds / 1000
    try:
        yield
    finally:
        worker.delay_seconds = 0.0


@contextmanager
def flood(command, worker, mb_per_second):
    """Writes debug lines one by one, under the lock that each request needs to log."""
    size_before = worker.log.size()
    # Allow for bytes that are not counted: the time at the start of lines, and requests.
    worker.log.max_bytes = size_before + (MAX_FLOOD_MB + 16) * MB
    written, size = 0, len(debug_line())

    def write(count):
        nonlocal written
        for _ in range(count):
            if command.stopped.is_set() or written >= MAX_FLOOD_MB * MB:
                return
            worker.log.write(debug_line)
            written += size

    try:
        with repeat_at_rate(command, mb_per_second * MB / size, write):
            yield
    finally:
        worker.log.truncate(size_before)
        worker.log.max_bytes = log.MAX_BYTES


@contextmanager
def crash(command, worker):
    """Exits now, and again on the first order after each restart.

    Passes the client's connection to the supervisor, which outlives this process and notices when
    the client hangs up.
    """
    supervisor = settings.control_path(worker.folder, "supervisor")
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(supervisor)
            message = f"crash {worker.name} {command.seconds}\n".encode()
            socket.send_fds(connection, [message], [command.client.fileno()])
            answer = connection.recv(200).decode()
    except OSError as error:
        raise CommandError(f"no supervisor to restart the worker: {error}") from None
    if answer != "taken\n":
        text = answer.removeprefix("error: ").strip()
        raise CommandError(text or "the supervisor did not accept the command")
    os._exit(1)
    # Unreachable; makes this function a generator, as `contextmanager` requires.
    yield


def crash_if_requested(worker):
    """Exits if the bug `crash` is active. Requests stay unanswered, as after a real crash."""
    try:
        with open(worker.crash_path) as file:
            if time.time() < float(file.read()):
                os._exit(1)
    except (OSError, ValueError):
        # No such command, or it is just being undone.
        return


def debug_line():
    """Returns a multi-line dump of a session, as left-over debug logging produces it."""
    session = {f"key-{number}": number for number in range(40)}
    return "debug " + json.dumps({"session": session}, indent=1)


def _match_seconds(letters):
    started = time.monotonic()
    re.match(r"(a+)+$", "a" * letters + "b")
    return time.monotonic() - started
