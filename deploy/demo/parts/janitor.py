"""What keeps the shop's folder small, beside what each part does for its own files."""

import asyncio
import glob
import os

EVERY_SECONDS = 30
LARGEST = 2 << 20


async def run(shop):
    """Empties the logs of programs that do not bound their own. All of them append, so they go on at the start."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        for path in [*glob.glob(f"{shop.folder}/log/*.out.log"), f"{shop.folder}/log/supervisor.log"]:
            if os.path.getsize(path) > LARGEST:
                os.truncate(path, 0)
