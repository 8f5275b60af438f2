"""Background threads that run while a bug is active."""

import threading
import time
from contextlib import contextmanager


@contextmanager
def run_in_background(function):
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(10)


@contextmanager
def repeat_at_rate(command, per_second, action):
    """Calls `action(count)` repeatedly so that the counts add up to `per_second`."""

    def run():
        started, done = time.monotonic(), 0
        while not command.stopped.wait(0.05):
            due = int((time.monotonic() - started) * per_second)
            if due > done:
                action(due - done)
                done = due

    with run_in_background(run):
        yield
