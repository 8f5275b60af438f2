"""A web worker: accepts connections from nginx and serves requests on a thread pool."""

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

import audit_log
import bugs
import clients
import control
import ledger
import log
import process
import routes
import settings

THREADS = 8
BACKLOG = 16
DRAIN_TIMEOUT_SECONDS = 4.0


class Worker:
    """The state that the threads of a web worker share."""

    def __init__(self, args):
        self.name, self.folder = args.name, args.folder
        self.log = log.Log(args.folder, args.name)
        self.database = clients.Database(args.database)
        self.cache = clients.cache(args.cache)
        self.audit_log = audit_log.AuditLog(args.folder)
        self.ledger = ledger.Ledger(args.folder)
        self.release = os.path.basename(os.path.realpath(os.path.dirname(__file__)))
        self.requests = 0
        self.request_lock = threading.Lock()
        # Changed by bugs.
        self.delay_seconds = 0.0
        self.sessions = []
        self.is_accepting = True
        self.crash_path = settings.crash_path(args.folder, args.name)

    def respond(self, path, query):
        """Serves a request; an exception becomes a 500 and a line in the log."""
        started = time.monotonic()
        # Each request counts itself and searches the sessions for its own.
        with self.request_lock:
            self.requests += 1
            wanted = str(self.requests).encode()
            any(session.startswith(wanted) for session in self.sessions)
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        try:
            route = routes.ROUTES.get(path)
            if route:
                response = route(self, query)
            else:
                response = routes.Response(404, {"error": f"no page {path}"})
        except Exception as error:
            response = routes.Response(500, {"error": f"{type(error).__name__}: {error}".strip()})
            self.log.write(f"{path} failed: {response.body['error']}")
        self.log.write(f"{path} {response.status} {(time.monotonic() - started) * 1000:.1f} ms")
        return response


class Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/order":
            bugs.crash_if_requested(self.server)
        response = self.server.respond(url.path, dict(urllib.parse.parse_qsl(url.query)))
        body = json.dumps(response.body).encode()
        self.send_response(response.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format, *arguments):
        """Logs nothing: `Worker` writes the log."""


class Acceptor:
    """Accepts connections and queues them for the threads, until it is closed."""

    def __init__(self, worker, address):
        self.worker = worker
        self.connections = queue.Queue(THREADS)
        self.listener = socket.create_server(address, backlog=BACKLOG)
        self.listener.setblocking(False)
        self.wake_reader, self.wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.is_closing = False
        self.threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(THREADS)]

    def wake(self, *_):
        """Interrupts `select` so that `run` notices a changed flag."""
        os.write(self.wake_writer, b"!")

    def close(self, *_):
        self.is_closing = True
        self.wake()

    def run(self):
        for thread in self.threads:
            thread.start()
        while not self.is_closing:
            listeners = [self.listener] if self.worker.is_accepting else []
            ready = select.select([self.wake_reader, *listeners], [], [])[0]
            if self.wake_reader in ready:
                os.read(self.wake_reader, 64)
            if self.listener in ready and self.worker.is_accepting:
                self._accept()
        self._drain()

    def _accept(self):
        """Accepts one connection; returns False if none is pending."""
        try:
            client, address = self.listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            self.worker.log.write(f"cannot accept: {error}")
            time.sleep(0.05)
            return True
        client.setblocking(True)
        self.connections.put((client, address))
        return True

    def _drain(self):
        """Serves pending connections. Later ones are refused, and nginx uses another worker."""
        while self._accept():
            pass
        self.listener.close()
        for _ in self.threads:
            self.connections.put(None)
        deadline = time.monotonic() + DRAIN_TIMEOUT_SECONDS
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self):
        while (connection := self.connections.get()) is not None:
            client, address = connection
            try:
                with client:
                    Handler(client, address, self.worker)
            except OSError:
                # The client has disconnected.
                pass


def main():
    args = settings.parse_arguments(__doc__)
    process.initialize(f"shop-{args.name}")
    worker = Worker(args)
    acceptor = Acceptor(worker, args.listen)
    signal.signal(signal.SIGTERM, acceptor.close)
    commands = bugs.commands(worker, acceptor)
    control.serve(settings.control_path(args.folder, args.name), commands)
    acceptor.run()


if __name__ == "__main__":
    main()
