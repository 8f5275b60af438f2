"""The audit log: one file to which all web workers append, each line under `flock`."""

import fcntl
import os
import threading
from contextlib import contextmanager

MAX_BYTES = 8 << 20


class AuditLog:
    def __init__(self, folder):
        self.path = path(folder)
        # `flock` belongs to the open file, which the threads of this process share.
        self.thread_lock = threading.Lock()
        self.file = None

    def append(self, line):
        with self.thread_lock:
            self._lock_current_file()
            try:
                os.write(self.file, f"{line}\n".encode())
                if os.fstat(self.file).st_size > MAX_BYTES:
                    os.replace(self.path, f"{self.path}.1")
            finally:
                fcntl.flock(self.file, fcntl.LOCK_UN)

    def _lock_current_file(self):
        """Locks the log, and opens it again if it was rotated.

        A rotation can happen while this process waits for the lock.
        """
        while True:
            if self.file is None:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
                self.file = os.open(self.path, flags, 0o644)
            fcntl.flock(self.file, fcntl.LOCK_EX)
            if is_current(self.file, self.path):
                return
            os.close(self.file)
            self.file = None


def path(folder):
    return os.path.join(folder, "log", "audit.log")


def is_current(file, name):
    """Returns whether the open file is the one that `name` refers to."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(name))
    except FileNotFoundError:
        return False


@contextmanager
def locked(name):
    """Holds the lock of the audit log, for rotation."""
    file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
