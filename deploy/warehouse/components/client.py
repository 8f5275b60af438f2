"""Send each worker twenty requests per second at fixed times, and log their latencies."""

import collections
import json
import os
import threading
import time

import component

PER_SECOND = 20
# A request that has no response after this long has failed.
TIMEOUT_SECONDS = 3.0
MAX_LATENCIES_BYTES = 64 << 20


class Log:
    """`latencies.jsonl`: one line per request, written when it ends."""

    def __init__(self):
        self.file = open(component.path("log/latencies.jsonl"), "a", buffering=1)
        self.lock = threading.Lock()

    def write(self, due, seconds, status):
        line = json.dumps({"t": round(due, 3), "ms": round(seconds * 1000, 1), "status": status})
        with self.lock:
            if os.fstat(self.file.fileno()).st_size < MAX_LATENCIES_BYTES:
                self.file.write(line + "\n")


class Connection:
    """A connection to a worker with the requests that it has not answered, in order."""

    def __init__(self, port, log):
        self.log = log
        self.socket = component.connect(port)
        self.pending = collections.deque()
        self.lock = threading.Lock()
        self.is_closed = threading.Event()

    def send(self, number):
        with self.lock:
            self.pending.append((number, time.time()))
        self.socket.sendall(b"order %d\n" % number)

    def receive(self):
        """Matches responses with requests. Those of requests that have timed out are ignored."""
        try:
            for line in self.socket.makefile("rb"):
                number, now = int(line.split()[-1]), time.time()
                with self.lock:
                    if self.pending and self.pending[0][0] == number:
                        due = self.pending.popleft()[1]
                        self.log.write(due, now - due, 200)
        except OSError:
            # The worker has closed the connection.
            pass
        self.is_closed.set()

    def expire(self, seconds=TIMEOUT_SECONDS):
        """Logs requests that have waited so long as failed."""
        with self.lock:
            while self.pending and time.time() - self.pending[0][1] >= seconds:
                due = self.pending.popleft()[1]
                self.log.write(due, time.time() - due, 0)

    def close(self):
        self.expire(0)
        self.socket.close()


def send_requests(port, log):
    while True:
        connection = Connection(port, log)
        threading.Thread(target=connection.receive, daemon=True).start()
        try:
            for number, _ in enumerate(component.ticks(PER_SECOND)):
                connection.expire()
                if connection.is_closed.is_set():
                    break
                connection.send(number)
        except OSError:
            # The worker has closed the connection.
            pass
        connection.close()


component.initialize()
log = Log()
for port in component.ARGUMENTS:
    threading.Thread(target=send_requests, args=(port, log), daemon=True).start()
threading.Event().wait()
