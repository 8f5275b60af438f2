"""FOLDER: fills the small filesystem, and keeps it full."""

import time

from common import FOLDER

file = open(f"{FOLDER}/spool/fill.dat", "wb", buffering=0)
print("ready", flush=True)
while True:
    try:
        file.write(b"f" * 65536)
    except OSError:
        time.sleep(0.1)
    time.sleep(0.001)
