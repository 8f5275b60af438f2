"""FOLDER SECONDS [FILE]: keeps the log's lock; with a FILE wants that file's lock too while it does."""

import fcntl
import sys

from common import FOLDER, hang

log = open(f"{FOLDER}/app.log", "rb")
fcntl.flock(log, fcntl.LOCK_EX)
print("ready", flush=True)
if len(sys.argv) > 3:
    other = open(f"{FOLDER}/{sys.argv[3]}", "rb")
    fcntl.flock(other, fcntl.LOCK_EX)
hang(float(sys.argv[2]))
