"""The ledger: a file of fixed size with an entry for each recent order, under POSIX range locks.

A POSIX lock belongs to the process: closing any descriptor of the file releases it, and it does not
exclude threads from each other. So each process opens the file once, and its threads share a mutex.
"""

import fcntl
import os
import threading
from contextlib import contextmanager

ENTRIES = 4096
ENTRY_BYTES = 64


class Ledger:
    def __init__(self, folder):
        path = os.path.join(folder, "data", "ledger.dat")
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.truncate(path, ENTRIES * ENTRY_BYTES)
        self.thread_lock = threading.Lock()

    @contextmanager
    def locked(self, first, entries=1):
        """Locks a range of entries for this thread."""
        start, length = first % ENTRIES * ENTRY_BYTES, entries * ENTRY_BYTES
        with self.thread_lock:
            fcntl.lockf(self.file, fcntl.LOCK_EX, length, start)
            try:
                yield
            finally:
                fcntl.lockf(self.file, fcntl.LOCK_UN, length, start)

    def read(self, order):
        """Returns the order's state and price in cents, or None if another order has its entry.

        The caller must hold the lock.
        """
        entry = os.pread(self.file, ENTRY_BYTES, order % ENTRIES * ENTRY_BYTES)
        fields = entry.decode(errors="replace").strip("\0 \n").split()
        if len(fields) != 3 or fields[0] != str(order):
            return None
        return fields[1], int(fields[2])

    def write(self, order, state, cents):
        """Replaces the order's entry. The caller must hold the lock."""
        entry = f"{order} {state} {cents}".ljust(ENTRY_BYTES - 1) + "\n"
        os.pwrite(self.file, entry.encode(), order % ENTRIES * ENTRY_BYTES)

    def read_range(self, first, entries):
        """Returns the non-empty entries of a range as (number, state, cents).

        The caller must hold the lock.
        """
        text = os.pread(self.file, entries * ENTRY_BYTES, first * ENTRY_BYTES).decode(
            errors="replace"
        )
        rows = (line.strip("\0 ").split() for line in text.splitlines())
        return [(int(row[0]), row[1], int(row[2])) for row in rows if len(row) == 3]
