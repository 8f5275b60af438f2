"""What the parts share: orders that come by signal, and connections that are made again."""

import os
import signal
import socket
import sys
import time

FOLDER = sys.argv[1]


def take_orders(**actions):
    """On SIGUSR1 the main thread stops at once with what it does, for what the file `orders/PID` says: a name and seconds."""

    def obey(*_):
        name, seconds = open(f"{FOLDER}/orders/{os.getpid()}").read().split()
        actions[name](float(seconds))

    signal.signal(signal.SIGUSR1, obey)


def hang(seconds):
    """Code that has lost its way: nothing but the end of the trouble gets it on."""
    time.sleep(seconds)


def ticks(per_second):
    """Goes on so often, at times that no lateness shifts: an open loop."""
    due = time.monotonic()
    while True:
        due += 1 / per_second
        time.sleep(max(0, due - time.monotonic()))
        yield


def connected(port):
    """A connection to a port of loopback, however long it takes."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", int(port)))
        except OSError:
            time.sleep(0.5)
