"""The connections to PostgreSQL and Redis that a part works with."""

import threading
import time
from contextlib import closing, contextmanager

import psycopg2
import redis

# Pools give up a connection after a while, so that they follow a database that has moved. It also means that a database
# without a free connection is felt soon.
LIFETIME_SECONDS = 5.0


class Database:
    """Lends connections to threads, as many as there are borrowers, and renews old ones."""

    def __init__(self, address):
        self.address = address
        self.lock = threading.Lock()
        self.idle = []

    @contextmanager
    def transaction(self):
        """A cursor whose work is committed, or rolled back if the block raises."""
        connection, until = self._take()
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except psycopg2.OperationalError:
            connection.close()
            raise
        finally:
            self._give_back(connection, until)

    def connect(self):
        host, port = self.address
        return psycopg2.connect(host=host, port=port, user="shop", dbname="shop", connect_timeout=3)

    def _take(self):
        with self.lock:
            # The last that came back, so that a quiet worker keeps few.
            connection, until = self.idle.pop() if self.idle else (None, 0.0)
        if connection is None:
            return self._fresh()
        if time.monotonic() < until:
            return connection, until
        # The new one first: so a server that has none to spare is felt.
        with closing(connection):
            return self._fresh()

    def _fresh(self):
        return self.connect(), time.monotonic() + LIFETIME_SECONDS

    def _give_back(self, connection, until):
        now = time.monotonic()
        with self.lock:
            if not connection.closed:
                self.idle.append((connection, until))
            old = [lent for lent in self.idle if lent[1] <= now]
            self.idle = [lent for lent in self.idle if lent[1] > now]
        for each, _ in old:
            each.close()


def cache(address, patience=2.0):
    host, port = address
    return redis.Redis(host=host, port=port, socket_timeout=patience, socket_connect_timeout=1, decode_responses=True)
