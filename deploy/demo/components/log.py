"""The log of a component: appended to, and bounded in size."""

import os
import threading
import time

MAX_BYTES = 2 << 20
# The amount of log that a host crash may lose. Syncing is rare unless a component logs a lot.
SYNC_BYTES = 256 << 10


class Log:
    """The file `DIR/log/NAME.log`, renamed to `NAME.log.1` when it exceeds `MAX_BYTES`."""

    def __init__(self, folder, name):
        self.path = os.path.join(folder, "log", f"{name}.log")
        self.lock = threading.Lock()
        self.max_bytes = MAX_BYTES
        self.unsynced = 0
        self.file = self._open()
        # A component that was killed during the bug `flood` leaves an oversized log.
        if self.size() > MAX_BYTES:
            self.file.truncate(0)

    def write(self, line):
        """Writes a line, given as text or as a function that returns it.

        The function runs under the lock, as formatters of Python's `logging` do.
        """
        with self.lock:
            text = line() if callable(line) else line
            stamp = time.strftime("%H:%M:%S")
            self.file.write(f"{stamp} {text}\n".encode())
            self.unsynced += len(text)
            if self.unsynced > SYNC_BYTES:
                os.fdatasync(self.file.fileno())
                self.unsynced = 0
            if self.file.tell() > self.max_bytes:
                self._rotate()

    def size(self):
        return os.fstat(self.file.fileno()).st_size

    def truncate(self, size):
        with self.lock:
            self.file.truncate(size)

    def _rotate(self):
        self.file.close()
        os.replace(self.path, f"{self.path}.1")
        self.file = self._open()

    def _open(self):
        return open(self.path, "ab", buffering=0)
