"""The bugs of a web worker that take more and more: memory, threads, files, connections. All is given back afterwards."""

import os
import threading
from contextlib import contextmanager

import psycopg2

import process
from background import growing

MB = 1 << 20
MOST_LEAKED_MB = 512
MOST_THREADS = 400
SESSION_BYTES = 1000


@contextmanager
def leak(order, worker, mb_per_second):
    """Sessions that are never forgotten; each request looks for its own among them."""
    most = MOST_LEAKED_MB * MB // SESSION_BYTES

    def remember(count):
        worker.sessions.extend(b"session".ljust(SESSION_BYTES, b".") for _ in range(min(count, most - len(worker.sessions))))

    try:
        with growing(order, mb_per_second * MB / SESSION_BYTES, remember):
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
        with growing(order, per_second, begin):
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
        with growing(order, per_second, open_more):
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
        with growing(order, per_second, connect):
            yield
    finally:
        for connection in leaked:
            connection.close()
