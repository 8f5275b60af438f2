"""FOLDER SECONDS: takes the log's lock, leaves it to a child, says the child's id, and ends."""

import fcntl
import os
import sys

from common import FOLDER, hang

log = open(f"{FOLDER}/app.log", "rb")
fcntl.flock(log, fcntl.LOCK_EX)
child = os.fork()
if child:
    print(child, flush=True)
    os._exit(0)
os.close(1)
hang(float(sys.argv[2]))
