"""A part's own log: appended to, and bounded in size."""

import os
import threading
import time

LARGEST = 2 << 20
# So much of a log may be lost when the host goes down. It is next to nothing until somebody logs a lot.
UNSYNCED = 256 << 10


class Log:
    """Lines of `DIR/log/NAME.log`. At `LARGEST` bytes it becomes `NAME.log.1`, and a new one begins."""

    def __init__(self, folder, name):
        self.path = os.path.join(folder, "log", f"{name}.log")
        self.lock = threading.Lock()
        self.largest = LARGEST
        self.unsynced = 0
        self.file = self._open()
        # A part that was killed in the midst of a flood left more than anybody wants to keep.
        if self.size() > LARGEST:
            self.file.truncate(0)

    def write(self, line):
        """Writes a line, or the one that a function makes: under the lock, as Python's own logging does it."""
        with self.lock:
            text = line() if callable(line) else line
            stamp = time.strftime("%H:%M:%S")
            self.file.write(f"{stamp} {text}\n".encode())
            self.unsynced += len(text)
            if self.unsynced > UNSYNCED:
                os.fdatasync(self.file.fileno())
                self.unsynced = 0
            if self.file.tell() > self.largest:
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
