"""FOLDER: writes 256 KB a second, and has it on the disk before it goes on."""

import os

from common import FOLDER, ticks

file = open(f"{FOLDER}/journal.dat", "wb", buffering=0)
for number, _ in enumerate(ticks(4)):
    if number % 64 == 0:
        file.seek(0)
    file.write(b"j" * 65536)
    os.fdatasync(file)
