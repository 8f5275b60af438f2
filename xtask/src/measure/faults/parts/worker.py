"""FOLDER PORT DATABASE: answers each line of its client by asking the database, a line in the log and now and then in the ledger."""

import fcntl
import socket
import sys
import threading
import time

from common import FOLDER, connected, hang, take_orders

log = open(f"{FOLDER}/app.log", "ab", buffering=0)
ledger = open(f"{FOLDER}/ledger.dat", "r+b", buffering=0)
kept = []


def answer(number, line, database, rows):
    database.sendall(line)
    rows.readline()
    fcntl.flock(log, fcntl.LOCK_EX)
    log.write(line)
    fcntl.flock(log, fcntl.LOCK_UN)
    if number % 5 == 0:
        fcntl.lockf(ledger, fcntl.LOCK_EX, 64, 0)
        ledger.seek(0)
        ledger.write(b"%63d\n" % number)
        fcntl.lockf(ledger, fcntl.LOCK_UN, 64, 0)


def keep_range(seconds):
    fcntl.lockf(ledger, fcntl.LOCK_EX, 64, 0)
    hang(seconds)
    fcntl.lockf(ledger, fcntl.LOCK_UN, 64, 0)


def spin(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def beside(step, per_second):
    """An order that is obeyed beside the work, and what it took given back at the end."""

    def go_on(seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            kept.append(step(until))
            time.sleep(1 / per_second)
        kept.clear()

    return lambda seconds: threading.Thread(target=go_on, args=(seconds,), daemon=True).start()


def idle_thread(until):
    thread = threading.Thread(target=lambda: time.sleep(max(0, until - time.monotonic())), daemon=True)
    thread.start()
    return thread


take_orders(
    keep_range=keep_range,
    spin=spin,
    leak_memory=beside(lambda _: b"x" * 2_500_000, 10),
    leak_files=beside(lambda _: open("/dev/null", "rb"), 50),
    start_threads=beside(idle_thread, 20),
)
listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
while True:
    client, database = listener.accept()[0], connected(sys.argv[3])
    rows = database.makefile("rb")
    try:
        for number, line in enumerate(client.makefile("rb")):
            answer(number, line, database, rows)
            client.sendall(b"done " + line)
    except OSError:
        pass
    client.close()
    database.close()
