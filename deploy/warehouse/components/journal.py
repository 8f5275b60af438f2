"""Write 256 KB per second, each block to disk before the next."""

import os

import component

BLOCKS = 64

component.initialize()
file = open(component.path("data/journal.dat"), "wb", buffering=0)
for number, _ in enumerate(component.ticks(4)):
    if number % BLOCKS == 0:
        file.seek(0)
    file.write(b"j" * 65536)
    os.fdatasync(file)
