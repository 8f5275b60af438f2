"""What a bug does in the background, for as long as it is ordered."""

import threading
import time
from contextlib import contextmanager


@contextmanager
def running(run):
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(10)


@contextmanager
def growing(order, per_second, more):
    """Calls `more` with a count, so often that the counts add up to `per_second`."""

    def run():
        begun, made = time.monotonic(), 0
        while not order.over.wait(0.05):
            due = int((time.monotonic() - begun) * per_second)
            if due > made:
                more(due - made)
                made = due

    with running(run):
        yield
