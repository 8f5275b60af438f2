"""What keeps the shop's folder small."""

import asyncio
import glob
import os

import changes
import control

EVERY_SECONDS = 30
LARGEST = 4 << 20
LARGEST_AUDIT = 8 << 20


async def run(shop):
    """Empties the logs of programs that do not bound their own. All of them append, so they go on at the start."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        for path in [*glob.glob(f"{shop.folder}/log/*.out.log"), f"{shop.folder}/log/front.log", f"{shop.folder}/log/supervisor.log"]:
            if os.path.exists(path) and os.path.getsize(path) > LARGEST:
                os.truncate(path, 0)
        try:
            audit = f"{shop.folder}/log/audit.log"
            if os.path.exists(audit) and os.path.getsize(audit) > LARGEST_AUDIT:
                await changes.rotate(shop)
        except (OSError, control.Refused) as error:
            shop.say(f"the audit log was not rotated: {error}")
