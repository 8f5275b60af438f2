"""The supervisor: starts all parts, starts again what dies, keeps `shop.json` true, and makes the benign changes on order."""

import argparse
import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time

import changes
import janitor
import process
import roster
import settings
import switchboard

RESTART_SECONDS = 1.0
GRACE_SECONDS = 6.0
READY_SECONDS = 20.0
OPEN_FILES = 512


class Shop:
    """The parts that run, and what is done to them."""

    def __init__(self, told):
        self.told, self.folder, self.port = told, told.folder, told.port
        self.parts = []
        self.changed = asyncio.Event()
        self.closing = asyncio.Event()
        self.log = open(os.path.join(self.folder, "log", "supervisor.log"), "a", buffering=1)

    def say(self, text):
        self.log.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    # Children are told to die with the thread that started them, so all are started from this one.
    def start(self, part):
        me = os.getpid()
        output = open(os.path.join(self.folder, "log", f"{part.name}.out.log"), "ab")

        def prepare():
            process.die_with(me, part.stop_signal)
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))

        with output:
            part.process = subprocess.Popen(
                part.command(self.folder), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=prepare,
            )
        if part not in self.parts:
            self.parts.append(part)
        self.say(f"started {part.name}, pid {part.process.pid}")
        self.write_state()

    async def started(self, part):
        """Starts the part and waits until it listens."""
        self.start(part)
        deadline = time.monotonic() + READY_SECONDS
        while part.listen and not await answers(part.listen):
            if time.monotonic() > deadline:
                raise TimeoutError(f"`{part.name}` does not listen on {settings.show(part.listen)} after {READY_SECONDS:.0f} s")
            await asyncio.sleep(0.05)

    async def ended(self, part, group=False):
        """Has the part end, by force if it must, and does not start it again."""
        part.dismissed = True
        signals = [(part.stop_signal, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)]
        for number, seconds in signals:
            if part.process.poll() is None:
                (os.killpg if group else os.kill)(part.process.pid, number)
            deadline = time.monotonic() + seconds
            while part.process.poll() is None and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        end_group(part.process.pid)
        self.forget(part)

    def forget(self, part):
        if part in self.parts:
            self.parts.remove(part)
        self.write_state()

    async def watch(self):
        """Starts again what died, after a second."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            dead = [part for part in self.parts if part.process and part.process.poll() is not None and not part.dismissed]
            for part in dead:
                self.say(f"{part.name}, pid {part.process.pid}, ended with {part.process.returncode}")
                end_group(part.process.pid)
                part.process = None
                asyncio.create_task(self.start_again(part))
            if dead:
                self.write_state()

    async def start_again(self, part):
        await asyncio.sleep(RESTART_SECONDS)
        if not part.dismissed and part.process is None and not self.closing.is_set():
            self.start(part)

    def write_state(self):
        """Lists who runs; a part that is about to be started again is not listed."""
        folder = self.folder
        alive = [part.describe(folder) for part in self.parts if part.process and part.process.poll() is None]
        me = {"name": "supervisor", "role": "supervisor", "pid": os.getpid(), "endpoint": None}
        state = {
            "folder": folder,
            "pid": os.getpid(),
            "command": [sys.executable, self.told.command, "--folder", folder],
            "front": settings.show(roster.endpoint(self.port, "front")),
            "parts": [*alive, me | {"control": settings.control_path(folder, "supervisor")}],
            "audit_log": os.path.join(folder, "log", "audit.log"),
            "ledger": os.path.join(folder, "data", "ledger.dat"),
            "spool": os.path.join(folder, "spool"),
            "spool_mounted": os.path.ismount(os.path.join(folder, "spool")),
            "database": {"endpoint": settings.show(roster.endpoint(self.port, "database")), "name": "shop", "user": "shop", "table": "stock"},
            "cache": {"endpoint": settings.show(roster.endpoint(self.port, "cache"))},
            "latencies": os.path.join(folder, "log", "latencies.jsonl"),
        }
        path = os.path.join(folder, "shop.json")
        with open(f"{path}.new", "w") as file:
            json.dump(state, file, indent=1)
        os.replace(f"{path}.new", path)

    async def open(self):
        for part in [*roster.stores(self.port), *roster.workers(self.port), roster.front(self.port)]:
            await self.started(part)
        await self.started(roster.traffic(self.port, self.told.rate, self.told.seed))

    async def close(self):
        """Ends all, those first that use the others."""
        for role in ("traffic", "front", "web", "queue", "biller", None):
            await asyncio.gather(*(self.ended(part) for part in list(self.parts) if part.process and role in (part.role, None)))


def end_group(leader):
    """Ends what a process has left behind, as nginx its workers, which would keep the port."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


async def answers(address):
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True


async def run(told):
    shop = Shop(told)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, shop.changed.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shop.closing.set)
    tasks = [asyncio.create_task(shop.watch()), asyncio.create_task(janitor.run(shop))]
    switch = switchboard.Switchboard(shop, changes.CHANGES)
    tasks.append(asyncio.create_task(switch.run(settings.control_path(shop.folder, "supervisor"))))
    opening = asyncio.create_task(shop.open())
    closing = asyncio.create_task(shop.closing.wait())
    await asyncio.wait([opening, closing], return_when=asyncio.FIRST_COMPLETED)
    failed = opening.exception() if opening.done() else None
    if failed:
        shop.say(f"cannot open: {failed}")
    else:
        await closing
    shop.closing.set()
    opening.cancel()
    await switch.hang_up()
    for task in tasks:
        task.cancel()
    await shop.close()
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--command", required=True, help="the command line that the shop was started with")
    told = parser.parse_args()
    process.begin("shop-supervisor")
    sys.exit(asyncio.run(run(told)))


if __name__ == "__main__":
    main()
