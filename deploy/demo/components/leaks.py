"""The bugs of a web worker that leak memory, threads, files or connections.

All of it is released when the bug is switched off.
"""

import os
import threading
from contextlib import contextmanager

import psycopg2

import process
from background import repeat_at_rate
from workload_folder import STATE

MB = 1 << 20
MAX_LEAK_MB = 512
MAX_THREADS = 400
SESSION_BYTES = 1000


@contextmanager
def leak(command, worker, mb_per_second):
    """Leaks sessions, which each request searches."""
    max_sessions = MAX_LEAK_MB * MB // SESSION_BYTES

    def add_sessions(count):
        count = min(count, max_sessions - len(worker.sessions))
        worker.sessions.extend(b"session".ljust(SESSION_BYTES, b".") for _ in range(count))

    try:
        with repeat_at_rate(command, mb_per_second * MB / SESSION_BYTES, add_sessions):
            yield
    finally:
        worker.sessions = []
        process.release_free_memory()


@contextmanager
def threads(command, worker, per_second):
    """Leaks threads, each of which retries a failed delivery in a loop."""
    started = []

    def retry():
        while not command.stopped.wait(0.05):
            sum(range(100_000))

    def start_threads(count):
        for _ in range(min(count, MAX_THREADS - len(started))):
            started.append(threading.Thread(target=retry, daemon=True))
            started[-1].start()

    try:
        with repeat_at_rate(command, per_second, start_threads):
            yield
    finally:
        for thread in started:
            thread.join(10)


@contextmanager
def files(command, worker, per_second):
    """Leaks open files, up to the limit of the process."""
    leaked = []

    def open_files(count):
        path = os.path.join(worker.folder, STATE)
        for _ in range(count):
            try:
                leaked.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                return

    try:
        with repeat_at_rate(command, per_second, open_files):
            yield
    finally:
        for file in leaked:
            os.close(file)


@contextmanager
def connections(command, worker, per_second):
    """Leaks database connections, up to the limit of the server."""
    leaked = []

    def connect(count):
        for _ in range(count):
            try:
                leaked.append(worker.database.connect())
            except psycopg2.OperationalError:
                return

    try:
        with repeat_at_rate(command, per_second, connect):
            yield
    finally:
        for connection in leaked:
            connection.close()
