"""Write ten times per second to the spool, restart after 4 MB, and go on when it is full."""

import component

BLOCKS = 1024

component.initialize()
file = open(component.path("spool/current"), "wb", buffering=0)
for number, _ in enumerate(component.ticks(10)):
    if number % BLOCKS == 0:
        file.seek(0)
        file.truncate()
    try:
        file.write(b"s" * 4096)
    except OSError:
        # The spool is full; the next write tells whether it still is.
        continue
