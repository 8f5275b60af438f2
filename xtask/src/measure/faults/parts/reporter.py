"""FOLDER: sends 400 KB a second to the collector."""

import socket
import time

from common import FOLDER, ticks

connection = socket.socket(socket.AF_UNIX)
while connection.connect_ex(f"{FOLDER}/collector.sock") != 0:
    time.sleep(0.1)
for _ in ticks(50):
    connection.sendall(b"r" * 8192)
