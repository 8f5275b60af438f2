"""FOLDER DATABASE: looks five times a second, on a new connection each, whether the database answers within three seconds."""

import socket
import sys
import threading

from common import ticks


def check():
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[2])), timeout=3) as connection:
            connection.sendall(b"alive\n")
            connection.recv(64)
    except OSError:
        pass


for _ in ticks(5):
    threading.Thread(target=check, daemon=True).start()
