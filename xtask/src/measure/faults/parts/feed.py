"""FOLDER: writes 200 KB a second to standard output."""

import os

from common import ticks

for _ in ticks(50):
    os.write(1, b"f" * 4096)
