"""FOLDER: runs a short command every second, and learns how it ended."""

import subprocess
import time

from common import take_orders, ticks


def forget(seconds):
    children = []
    for _ in range(int(seconds * 10)):
        children.append(subprocess.Popen(["true"]))
        time.sleep(0.1)
    for child in children:
        child.wait()


take_orders(forget=forget)
for _ in ticks(1):
    subprocess.run(["true"])
