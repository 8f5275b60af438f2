"""Answer each line: a thread per connection, and one lock for the table."""

import socket
import threading
from contextlib import contextmanager

import component

TABLE_BYTES = 4 << 20

table_lock = threading.Lock()
accepting = component.Gate()
table = open(component.path("data/table.dat"), "wb", buffering=0)


def serve(connection):
    try:
        for line in connection.makefile("rb"):
            with table_lock:
                sum(range(2000))
                if table.tell() > TABLE_BYTES:
                    table.seek(0)
                table.write(line)
            connection.sendall(b"row " + line)
    except OSError:
        # The client has closed the connection.
        pass
    connection.close()


@contextmanager
def hold_table(command):
    with table_lock:
        yield


component.initialize({"hang": hold_table, "no-accept": accepting.hold})
listener = socket.create_server(("127.0.0.1", int(component.ARGUMENTS[0])), backlog=16)
while True:
    accepting.wait()
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
