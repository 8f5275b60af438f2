"""The bugs that a web worker has on order. Each is bounded, and afterwards the worker is as before."""

import json
import os
import re
import socket
import time
from contextlib import contextmanager

import leaks
import log
import settings
from background import growing, running
from control import Refused

MB = 1 << 20
MOST_FLOODED_MB = 256
MOST_DELAY_MS = 10_000


def orders(worker, door):
    """What the control socket of a web worker understands."""

    def of_worker(bug):
        return lambda order, *numbers: bug(order, worker, *numbers)

    bugs = {bug.__name__: of_worker(bug) for bug in (loop, stuck, slow, flood, crash, leaks.leak, leaks.threads, leaks.files, leaks.connections)}
    return bugs | {"deaf": lambda order: deaf(worker, door)}


@contextmanager
def loop(order, worker):
    """A regular expression that backtracks for ever: it keeps the interpreter's lock for tens of milliseconds at a time."""
    letters = 12
    while _match_seconds(letters) < 0.03 and letters < 40:
        letters += 1

    def run():
        while not order.over.is_set():
            _match_seconds(letters)

    with running(run):
        yield


@contextmanager
def stuck(order, worker):
    """A thread that keeps the lock which each request needs."""

    def keep():
        with worker.served_lock:
            order.over.wait()

    with running(keep):
        yield


@contextmanager
def deaf(worker, door):
    """No connection is accepted, and the kernel's queue of them fills."""
    worker.hears = False
    door.ring()
    try:
        yield
    finally:
        worker.hears = True
        door.ring()


@contextmanager
def slow(order, worker, milliseconds):
    """Each answer is late."""
    if milliseconds > MOST_DELAY_MS:
        raise Refused(f"expected at most {MOST_DELAY_MS} milliseconds, found {milliseconds:g}")
    worker.delay_seconds = milliseconds / 1000
    try:
        yield
    finally:
        worker.delay_seconds = 0.0


@contextmanager
def flood(order, worker, mb_per_second):
    """Debug lines, each made and written for itself, under the lock that the log of each request needs."""
    before = worker.log.size()
    # Beyond what is counted: each line begins with the time, and requests are logged too.
    worker.log.largest = before + (MOST_FLOODED_MB + 16) * MB
    written, size = 0, len(debug_line())

    def write(count):
        nonlocal written
        for _ in range(count):
            if order.over.is_set() or written >= MOST_FLOODED_MB * MB:
                return
            worker.log.write(debug_line)
            written += size

    try:
        with growing(order, mb_per_second * MB / size, write):
            yield
    finally:
        worker.log.truncate(before)
        worker.log.largest = log.LARGEST


@contextmanager
def crash(order, worker):
    """Exits now, and on each order that it takes after its restarts.

    The client is handed to the supervisor, which is there when this process is not and sees the client hang up.
    """
    supervisor = settings.control_path(worker.folder, "supervisor")
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(supervisor)
            message = f"crash {worker.name} {order.seconds}\n".encode()
            socket.send_fds(line, [message], [order.client.fileno()])
            taken = line.recv(200).decode()
    except OSError as error:
        raise Refused(f"no supervisor to restart the worker: {error}") from None
    if taken != "taken\n":
        raise Refused(taken.removeprefix("error: ").strip() or "the supervisor did not take the order")
    os._exit(1)
    # Never reached: it makes this a context manager like the others.
    yield


def crash_if_ordered(worker):
    """Ends the process if an order to crash stands. A worker that is killed leaves requests unanswered, as a crash does."""
    try:
        with open(worker.crash_path) as file:
            if time.time() < float(file.read()):
                os._exit(1)
    except (OSError, ValueError):
        # No order, or one that is just being taken back.
        return


def debug_line():
    """All that is known of a request, as somebody wanted to see it once."""
    return "debug " + json.dumps({"session": {f"key-{number}": number for number in range(40)}}, indent=1)


def _match_seconds(letters):
    begun = time.monotonic()
    re.match(r"(a+)+$", "a" * letters + "b")
    return time.monotonic() - begun
