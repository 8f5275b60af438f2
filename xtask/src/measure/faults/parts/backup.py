"""FOLDER SECONDS: keeps the archive's lock."""

import fcntl
import sys

from common import FOLDER, hang

archive = open(f"{FOLDER}/archive.dat", "wb")
fcntl.flock(archive, fcntl.LOCK_EX)
print("ready", flush=True)
hang(float(sys.argv[2]))
