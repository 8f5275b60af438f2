"""A web worker: accepts requests from nginx, and answers them on a few threads."""

import json
import os
import queue
import select
import signal
import socket
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler

import audit
import bugs
import control
import ledger
import log
import pages
import process
import settings
import stores

THREADS = 8
BACKLOG = 16
PATIENCE_SECONDS = 4.0


class Worker:
    """What the threads of a web worker share."""

    def __init__(self, told):
        self.name, self.folder = told.name, told.folder
        self.log = log.Log(told.folder, told.name)
        self.database = stores.Database(told.database)
        self.cache = stores.cache(told.cache)
        self.audit = audit.Audit(told.folder)
        self.ledger = ledger.Ledger(told.folder)
        self.release = os.path.basename(os.path.realpath(os.path.dirname(__file__)))
        self.served = 0
        self.served_lock = threading.Lock()
        # What bugs change.
        self.delay_seconds = 0.0
        self.sessions = []
        self.hears = True
        self.crash_path = settings.crash_path(told.folder, told.name)

    def answer(self, path, query):
        """Answers a request; whatever goes wrong is a 500 and a line in the log."""
        begun = time.monotonic()
        # A request counts, and looks for its session among those that are remembered.
        with self.served_lock:
            self.served += 1
            wanted = str(self.served).encode()
            any(session.startswith(wanted) for session in self.sessions)
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        try:
            page = pages.PAGES.get(path)
            reply = page(self, query) if page else pages.Answer(404, {"error": f"no page {path}"})
        except Exception as error:
            reply = pages.Answer(500, {"error": f"{type(error).__name__}: {error}".strip()})
            self.log.write(f"{path} failed: {reply.body['error']}")
        self.log.write(f"{path} {reply.status} {(time.monotonic() - begun) * 1000:.1f} ms")
        return reply


class Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/order":
            bugs.crash_if_ordered(self.server)
        reply = self.server.answer(url.path, dict(urllib.parse.parse_qsl(url.query)))
        body = json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format, *arguments):
        """The worker writes its own log."""


class Door:
    """Accepts connections and hands them to the threads, until it is told to close."""

    def __init__(self, worker, address):
        self.worker = worker
        self.waiting = queue.Queue(THREADS)
        self.listener = socket.create_server(address, backlog=BACKLOG)
        self.listener.setblocking(False)
        self.woken, self.bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.closing = False
        self.threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(THREADS)]

    def ring(self, *_):
        os.write(self.bell, b"!")

    def close(self, *_):
        self.closing = True
        self.ring()

    def run(self):
        for thread in self.threads:
            thread.start()
        while not self.closing:
            heard = [self.listener] if self.worker.hears else []
            ready = select.select([self.woken, *heard], [], [])[0]
            if self.woken in ready:
                os.read(self.woken, 64)
            if self.listener in ready and self.worker.hears:
                self._accept()
        self._drain()

    def _accept(self):
        """Takes one connection; False if none waits."""
        try:
            client, address = self.listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            self.worker.log.write(f"cannot accept: {error}")
            time.sleep(0.05)
            return True
        client.setblocking(True)
        self.waiting.put((client, address))
        return True

    def _drain(self):
        """What has connected is answered. Who comes later is refused, and nginx goes to another worker."""
        while self._accept():
            pass
        self.listener.close()
        for _ in self.threads:
            self.waiting.put(None)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self):
        while (connection := self.waiting.get()) is not None:
            client, address = connection
            try:
                with client:
                    Handler(client, address, self.worker)
            except OSError:
                # The client has gone.
                pass


def main():
    told = settings.read(__doc__)
    process.begin(f"shop-{told.name}")
    worker = Worker(told)
    door = Door(worker, told.listen)
    signal.signal(signal.SIGTERM, door.close)
    control.serve(settings.control_path(told.folder, told.name), bugs.orders(worker, door))
    door.run()


if __name__ == "__main__":
    main()
