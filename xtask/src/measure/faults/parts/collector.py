"""FOLDER: takes what comes over a unix socket, for all who report."""

import socket

from common import FOLDER, hang, take_orders

take_orders(stop_reading=hang)
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"{FOLDER}/collector.sock")
listener.listen()
while True:
    connection = listener.accept()[0]
    while connection.recv(65536):
        pass
