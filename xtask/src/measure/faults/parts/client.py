"""FOLDER PORT...: asks each of the workers twenty times a second, whether or not they answer."""

import sys
import threading

from common import connected, ticks


def read_all(connection):
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass


def ask(port):
    while True:
        connection = connected(port)
        threading.Thread(target=read_all, args=(connection,), daemon=True).start()
        try:
            for number, _ in enumerate(ticks(20)):
                connection.sendall(b"order %d\n" % number)
        except OSError:
            connection.close()


for port in sys.argv[2:]:
    threading.Thread(target=ask, args=(port,), daemon=True).start()
threading.Event().wait()
