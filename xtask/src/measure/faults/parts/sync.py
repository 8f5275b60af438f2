"""FOLDER: writes a megabyte, has it on the disk, and again; 64 MB at most."""

import os

from common import FOLDER

file = open(f"{FOLDER}/sync.dat", "wb", buffering=0)
while True:
    for _ in range(64):
        file.write(b"d" * 1_000_000)
        os.fsync(file)
    file.seek(0)
