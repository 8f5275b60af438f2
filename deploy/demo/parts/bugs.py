"""The bugs that a web worker has on order. Each is bounded, and afterwards the worker is as before."""

import json
import os
import re
import socket
import threading
import time
from contextlib import contextmanager

import psycopg2

import log
import process
import settings
from control import Refused

MB = 1 << 20
MOST_LEAKED_MB = 512
MOST_THREADS = 400
MOST_FLOODED_MB = 256
MOST_DELAY_MS = 10_000
SESSION_BYTES = 1000


def orders(worker, door):
    """What the control socket of a web worker understands."""

    def of_worker(bug):
        return lambda order, *numbers: bug(order, worker, *numbers)

    bugs = {bug.__name__: of_worker(bug) for bug in (loop, leak, threads, files, connections, stuck, slow, flood, crash)}
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

    with _thread(run):
        yield


@contextmanager
def leak(order, worker, mb_per_second):
    """Sessions that are never forgotten; each request looks for its own among them."""
    most = MOST_LEAKED_MB * MB // SESSION_BYTES

    def remember(count):
        worker.sessions.extend(b"session".ljust(SESSION_BYTES, b".") for _ in range(min(count, most - len(worker.sessions))))

    try:
        with _growing(order, mb_per_second * MB / SESSION_BYTES, remember):
            yield
    finally:
        worker.sessions = []
        process.give_memory_back()


@contextmanager
def threads(order, worker, per_second):
    """A thread for each failed delivery, which tries again and again."""
    begun = []

    def retry():
        while not order.over.wait(0.05):
            sum(range(100_000))

    def begin(count):
        for _ in range(min(count, MOST_THREADS - len(begun))):
            begun.append(threading.Thread(target=retry, daemon=True))
            begun[-1].start()

    try:
        with _growing(order, per_second, begin):
            yield
    finally:
        for thread in begun:
            thread.join(10)


@contextmanager
def files(order, worker, per_second):
    """Files that are never closed, until the process may open no more."""
    leaked = []

    def open_more(count):
        for _ in range(count):
            try:
                leaked.append(os.open(os.path.join(worker.folder, "shop.json"), os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                return

    try:
        with _growing(order, per_second, open_more):
            yield
    finally:
        for file in leaked:
            os.close(file)


@contextmanager
def connections(order, worker, per_second):
    """Database connections that are never given back, until the server has none left."""
    leaked = []

    def connect(count):
        for _ in range(count):
            try:
                leaked.append(worker.database.connect())
            except psycopg2.OperationalError:
                return

    try:
        with _growing(order, per_second, connect):
            yield
    finally:
        for connection in leaked:
            connection.close()


@contextmanager
def stuck(order, worker):
    """A thread that keeps the lock which each request needs."""

    def keep():
        with worker.served_lock:
            order.over.wait()

    with _thread(keep):
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
    worker.log.largest = before + (MOST_FLOODED_MB + 1) * MB
    written = 0

    def write(count):
        nonlocal written
        for _ in range(count):
            if order.over.is_set() or written >= MOST_FLOODED_MB * MB:
                return
            line = debug_line()
            worker.log.write(line)
            written += len(line)

    try:
        with _growing(order, mb_per_second * MB / len(debug_line()), write):
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
            taken = line.recv(64)
    except OSError as error:
        raise Refused(f"no supervisor to restart the worker: {error}") from None
    if taken != b"taken\n":
        raise Refused("the supervisor did not take the order")
    os._exit(1)
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
    headers = {f"x-header-{number}": "value of the header" for number in range(8)}
    return "debug " + json.dumps({"headers": headers, "session": {"cart": [1, 2, 3], "user": None}}, indent=1)


def _match_seconds(letters):
    begun = time.monotonic()
    re.match(r"(a+)+$", "a" * letters + "b")
    return time.monotonic() - begun


@contextmanager
def _growing(order, per_second, more):
    """Calls `more` with a count, so often that the counts add up to `per_second`."""

    def run():
        begun, made = time.monotonic(), 0
        while not order.over.wait(0.05):
            due = int((time.monotonic() - begun) * per_second)
            if due > made:
                more(due - made)
                made = due

    with _thread(run):
        yield


@contextmanager
def _thread(run):
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(10)
