"""Attributes of the current process that Python's standard library cannot set."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
LIBC = ctypes.CDLL(None, use_errno=True)


def initialize(name):
    """Sets the process name and makes SIGTERM end the process, even as PID 1 of a container.

    `ps` and `/proc/PID/comm` show the name; threads that are started later inherit it.
    """
    LIBC.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def set_parent_death_signal(parent, death_signal):
    """Makes the kernel send `death_signal` when the thread that started this process exits.

    For use between fork and exec.
    """
    LIBC.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def release_free_memory():
    """Returns freed memory to the kernel, so that the host sees the end of a leak too."""
    LIBC.malloc_trim(0)
