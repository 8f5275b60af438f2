"""What the components have in common: their command line, their control socket, and timers.

The command line is `NAME FOLDER [PORT] [ARGUMENT...]`.
"""

import os
import socket
import sys
import threading
import time
from contextlib import contextmanager

import control
import process
import settings

NAME, FOLDER = sys.argv[1:3]
ARGUMENTS = sys.argv[3:]


def initialize(commands=None):
    """Sets the process name and serves the control socket, if the component has commands."""
    process.initialize(NAME)
    if commands:
        control.serve(settings.control_path(FOLDER, NAME), commands)


def path(name):
    return os.path.join(FOLDER, name)


class Gate:
    """Blocks the thread that passes through it while a command holds it."""

    def __init__(self):
        self.lock = threading.Lock()

    def wait(self):
        with self.lock:
            pass

    @contextmanager
    def hold(self, command):
        with self.lock:
            yield


def ticks(per_second):
    """Yields at fixed times. A late caller does not delay the following times: an open loop."""
    due = time.monotonic()
    while True:
        due += 1 / per_second
        time.sleep(max(0, due - time.monotonic()))
        yield


def connect(port):
    """Returns a connection to a port of loopback, and retries until there is one."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", int(port)))
        except OSError:
            time.sleep(0.5)
