"""The clients of PostgreSQL and Redis."""

import threading
import time
from contextlib import closing, contextmanager

import psycopg2
import redis

# Pools renew connections regularly, so that they follow a database that has moved. It also makes a
# database that has no free connection noticeable soon.
CONNECTION_LIFETIME_SECONDS = 5.0


class Database:
    """A connection pool without an upper limit that renews old connections."""

    def __init__(self, address):
        self.address = address
        self.lock = threading.Lock()
        self.idle = []

    @contextmanager
    def transaction(self):
        """Yields a cursor; commits at the end of the block, or rolls back if the block raises."""
        connection, expiry = self._acquire()
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except psycopg2.OperationalError:
            connection.close()
            raise
        finally:
            self._release(connection, expiry)

    def connect(self):
        host, port = self.address
        return psycopg2.connect(host=host, port=port, user="shop", dbname="shop", connect_timeout=3)

    def _acquire(self):
        with self.lock:
            # The most recently used, so that a quiet worker keeps few.
            connection, expiry = self.idle.pop() if self.idle else (None, 0.0)
        if connection is None:
            return self._open()
        if time.monotonic() < expiry:
            return connection, expiry
        # Open the new one before closing the old one: this fails if the server has none to spare.
        with closing(connection):
            return self._open()

    def _open(self):
        return self.connect(), time.monotonic() + CONNECTION_LIFETIME_SECONDS

    def _release(self, connection, expiry):
        now = time.monotonic()
        with self.lock:
            if not connection.closed:
                self.idle.append((connection, expiry))
            expired = [entry for entry in self.idle if entry[1] <= now]
            self.idle = [entry for entry in self.idle if entry[1] > now]
        for each, _ in expired:
            each.close()


def cache(address, timeout_seconds=2.0):
    host, port = address
    return redis.Redis(
        host=host,
        port=port,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=1,
        decode_responses=True,
    )
