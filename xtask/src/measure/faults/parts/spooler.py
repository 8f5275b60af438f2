"""FOLDER: writes ten times a second to the small filesystem, begins anew after 4 MB, and tries again when it cannot."""

from common import FOLDER, ticks

file = open(f"{FOLDER}/spool/current", "wb", buffering=0)
for number, _ in enumerate(ticks(10)):
    if number % 1024 == 0:
        file.seek(0)
        file.truncate()
    try:
        file.write(b"s" * 4096)
    except OSError:
        pass
