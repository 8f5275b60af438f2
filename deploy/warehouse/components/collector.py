"""Read what the reporter sends over a Unix socket."""

import os
import socket

import component

reading = component.Gate()
component.initialize({"unread-socket": reading.hold})
path = component.path("run/collector.sock")
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
while True:
    connection = listener.accept()[0]
    while connection.recv(65536):
        reading.wait()
