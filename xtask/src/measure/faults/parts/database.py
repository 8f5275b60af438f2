"""FOLDER PORT: answers each line; a thread for each connection, and one mutex for the table."""

import socket
import sys
import threading

from common import FOLDER, hang, take_orders

mutex = threading.Lock()
table = open(f"{FOLDER}/table.dat", "ab", buffering=0)


def serve(connection):
    try:
        for line in connection.makefile("rb"):
            with mutex:
                sum(range(2000))
                table.write(line)
            connection.sendall(b"row " + line)
    except OSError:
        pass
    connection.close()


def keep_mutex(seconds):
    with mutex:
        hang(seconds)


take_orders(hang=keep_mutex, stop_accepting=hang)
listener = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=16)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
