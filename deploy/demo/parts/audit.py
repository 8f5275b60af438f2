"""The audit log: one file that all web workers append to, each line under `flock`."""

import fcntl
import os
import threading
from contextlib import contextmanager

LARGEST = 8 << 20


class Audit:
    def __init__(self, folder):
        self.path = path(folder)
        # The lock is the open file's, which the threads of this process share.
        self.own_turn = threading.Lock()
        self.file = None

    def append(self, line):
        with self.own_turn:
            self._lock_newest()
            try:
                os.write(self.file, f"{line}\n".encode())
                if os.fstat(self.file).st_size > LARGEST:
                    os.replace(self.path, f"{self.path}.1")
            finally:
                fcntl.flock(self.file, fcntl.LOCK_UN)

    def _lock_newest(self):
        """Opens the log again if it was rotated, also while this process waited for the lock of the old one."""
        while True:
            if self.file is None:
                self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self.file, fcntl.LOCK_EX)
            if is_current(self.file, self.path):
                return
            os.close(self.file)
            self.file = None


def path(folder):
    return os.path.join(folder, "log", "audit.log")


def is_current(file, name):
    try:
        return os.path.samestat(os.fstat(file), os.stat(name))
    except FileNotFoundError:
        return False


@contextmanager
def held(name):
    """The audit log's lock, as one who rotates it takes it."""
    file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
