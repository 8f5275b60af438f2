"""Check five times per second, on a new connection each, that the database answers within 3 s."""

import socket
import threading

import component


def check():
    address = "127.0.0.1", int(component.ARGUMENTS[0])
    try:
        with socket.create_connection(address, timeout=3) as connection:
            connection.sendall(b"alive\n")
            connection.recv(64)
    except OSError:
        # The next check tells whether the database has recovered.
        return


component.initialize()
for _ in component.ticks(5):
    threading.Thread(target=check, daemon=True).start()
