"""What a process asks of the kernel about itself."""

import ctypes
import os
import signal

SET_DEATH_SIGNAL, SET_NAME = 1, 15
LIBC = ctypes.CDLL(None, use_errno=True)


def begin(name):
    """Sets the name that `ps` and `/proc/PID/comm` show, also of threads begun later; ends on SIGTERM, also as a container's first process."""
    LIBC.prctl(SET_NAME, name.encode()[:15], 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def die_with(parent, death_signal):
    """Has the kernel send `death_signal` when the thread that started this process ends. For use between fork and exec."""
    LIBC.prctl(SET_DEATH_SIGNAL, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def give_memory_back():
    """Has the allocator return what was freed, so that a leak that is over is over for the host too."""
    LIBC.malloc_trim(0)
