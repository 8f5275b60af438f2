"""Send 400 KB per second to the collector."""

import socket
import time

import component

component.initialize()
while True:
    connection = socket.socket(socket.AF_UNIX)
    while connection.connect_ex(component.path("run/collector.sock")) != 0:
        time.sleep(0.1)
    try:
        for _ in component.ticks(50):
            connection.sendall(b"r" * 8192)
    except OSError:
        # The collector was restarted.
        connection.close()
