"""Run a short command every second and wait for it."""

import subprocess
from contextlib import contextmanager

import component
from background import repeat_at_rate

COMMAND = ["/bin/true"]
ZOMBIES_PER_SECOND = 10
MAX_ZOMBIES = 1000


@contextmanager
def leave_zombies(command):
    """Starts commands and does not wait for them."""
    children = []

    def start_commands(count):
        for _ in range(min(count, MAX_ZOMBIES - len(children))):
            children.append(subprocess.Popen(COMMAND))

    try:
        with repeat_at_rate(command, ZOMBIES_PER_SECOND, start_commands):
            yield
    finally:
        for child in children:
            child.wait()


component.initialize({"zombies": leave_zombies})
for _ in component.ticks(1):
    subprocess.run(COMMAND, check=False)
