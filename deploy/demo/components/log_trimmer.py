"""Bounds the logs of programs that do not bound their own."""

import asyncio
import glob
import os

INTERVAL_SECONDS = 30
MAX_BYTES = 2 << 20


async def run(shop):
    """Truncates large logs. Their writers append, so they continue at the start of the file."""
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        for path in [
            *glob.glob(f"{shop.folder}/log/*.out.log"),
            f"{shop.folder}/log/supervisor.log",
        ]:
            if os.path.getsize(path) > MAX_BYTES:
                os.truncate(path, 0)
