"""Write 200 KB per second to standard output, which is a pipe to the consumer."""

import os

import component

component.initialize()
for _ in component.ticks(50):
    os.write(1, b"f" * 4096)
