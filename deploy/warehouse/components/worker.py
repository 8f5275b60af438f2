"""Answer each line of the client: query the database, log a line, sometimes write to the ledger."""

import fcntl
import socket
import threading
import time
from contextlib import contextmanager

import component
import process
from background import repeat_at_rate, run_in_background

MB = 1 << 20
MAX_LEAK_MB = 512
MAX_THREADS = 400
LOG_LINES = 100_000
ENTRY_BYTES = 64

port, database_port = component.ARGUMENTS
log = open(component.path("log/orders.log"), "ab", buffering=0)
ledger = open(component.path("data/ledger.dat"), "r+b", buffering=0)
# A POSIX lock does not exclude the threads of its process from each other.
ledger_lock = threading.Lock()


def answer(number, line, database, rows):
    database.sendall(line)
    rows.readline()
    fcntl.flock(log, fcntl.LOCK_EX)
    if number % LOG_LINES == LOG_LINES - 1:
        log.truncate(0)
    log.write(line)
    fcntl.flock(log, fcntl.LOCK_UN)
    if number % 5 == 0:
        with locked_ledger():
            ledger.seek(0)
            ledger.write(b"%63d\n" % number)


@contextmanager
def locked_ledger():
    with ledger_lock:
        fcntl.lockf(ledger, fcntl.LOCK_EX, ENTRY_BYTES, 0)
        try:
            yield
        finally:
            fcntl.lockf(ledger, fcntl.LOCK_UN, ENTRY_BYTES, 0)


@contextmanager
def hold_ledger(command):
    with locked_ledger():
        yield


@contextmanager
def loop(command):
    """Computes continuously on another thread."""

    def run():
        while not command.stopped.is_set():
            sum(range(100_000))

    with run_in_background(run):
        yield


@contextmanager
def leak(command, mb_per_second):
    blocks = []

    def allocate(count):
        blocks.extend(b"x" * MB for _ in range(min(count, MAX_LEAK_MB - len(blocks))))

    try:
        with repeat_at_rate(command, mb_per_second, allocate):
            yield
    finally:
        blocks.clear()
        process.release_free_memory()


@contextmanager
def files(command, per_second):
    """Leaks open files, up to the limit of the process."""
    leaked = []

    def open_files(count):
        for _ in range(count):
            try:
                leaked.append(open("/dev/null", "rb"))
            except OSError:
                return

    try:
        with repeat_at_rate(command, per_second, open_files):
            yield
    finally:
        for file in leaked:
            file.close()


@contextmanager
def threads(command, per_second):
    """Leaks threads that sleep."""
    started = []

    def start_threads(count):
        for _ in range(min(count, MAX_THREADS - len(started))):
            started.append(threading.Thread(target=command.stopped.wait, daemon=True))
            started[-1].start()

    with repeat_at_rate(command, per_second, start_threads):
        yield


component.initialize(
    {"ledger": hold_ledger, "loop": loop, "leak": leak, "files": files, "threads": threads}
)
listener = socket.create_server(("127.0.0.1", int(port)))
while True:
    client = listener.accept()[0]
    database = component.connect(database_port)
    rows = database.makefile("rb")
    try:
        for number, line in enumerate(client.makefile("rb")):
            answer(number, line, database, rows)
            client.sendall(b"done " + line)
    except OSError:
        # The client or the database has closed the connection.
        time.sleep(0.1)
    client.close()
    database.close()
