"""The supervisor: runs the components, writes the state file, and makes benign changes."""

import argparse
import asyncio
import os
import resource
import signal
import subprocess
import sys
import time

import benign_changes
import log_trimmer
import process
import settings
import supervisor_control
import topology
import workload_folder

RESTART_DELAY_SECONDS = 1.0
STOP_TIMEOUT_SECONDS = 6.0
START_TIMEOUT_SECONDS = 20.0
MAX_OPEN_FILES = 512


class Shop:
    """The running components."""

    def __init__(self, args):
        self.args, self.folder, self.port = args, args.folder, args.port
        self.components = []
        self.child_exited = asyncio.Event()
        self.stopping = asyncio.Event()
        self.log_file = open(os.path.join(self.folder, "log", "supervisor.log"), "a", buffering=1)

    def log(self, text):
        self.log_file.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    # A child dies with the thread that started it, so this thread starts all of them.
    def start(self, component):
        parent = os.getpid()
        output = open(os.path.join(self.folder, "log", f"{component.name}.out.log"), "ab")

        def prepare():
            process.set_parent_death_signal(parent, component.stop_signal)
            resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))

        with output:
            component.process = subprocess.Popen(
                component.command(self.folder),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=prepare,
            )
        if component not in self.components:
            self.components.append(component)
        self.log(f"started {component.name}, pid {component.process.pid}")
        self.write_state()

    async def start_and_wait(self, component):
        """Starts the component and waits until it listens."""
        self.start(component)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while component.listen and not await accepts_connections(component.listen):
            if time.monotonic() > deadline:
                address = settings.format_address(component.listen)
                timeout = f"{START_TIMEOUT_SECONDS:.0f} s"
                raise TimeoutError(
                    f"`{component.name}` does not listen on {address} after {timeout}"
                )
            await asyncio.sleep(0.05)

    async def stop(self, component, group=False):
        """Stops the component for good, by SIGKILL if necessary."""
        component.is_stopping = True
        for number in (component.stop_signal, signal.SIGKILL):
            if component.process.poll() is None:
                (os.killpg if group else os.kill)(component.process.pid, number)
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while component.process.poll() is None and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        kill_group(component.process.pid)
        self.forget(component)

    def forget(self, component):
        if component in self.components:
            self.components.remove(component)
        self.write_state()

    async def restart_exited(self):
        """Restarts components that exit, after a delay."""
        while True:
            await self.child_exited.wait()
            self.child_exited.clear()
            exited = [
                component
                for component in self.components
                if component.process
                and component.process.poll() is not None
                and not component.is_stopping
            ]
            for component in exited:
                pid, status = component.process.pid, component.process.returncode
                self.log(f"{component.name}, pid {pid}, exited with {status}")
                kill_group(pid)
                component.process = None
                asyncio.create_task(self.restart(component))
            if exited:
                self.write_state()

    async def restart(self, component):
        await asyncio.sleep(RESTART_DELAY_SECONDS)
        if not component.is_stopping and component.process is None and not self.stopping.is_set():
            self.start(component)

    def write_state(self):
        """Writes the state file, which lists the running components.

        A component that is about to be restarted is absent.
        """
        folder = self.folder
        running = [each for each in self.components if each.process and each.process.poll() is None]
        control = settings.control_path(folder, "supervisor")
        supervisor = topology.describe("supervisor", "supervisor", os.getpid(), None, control)
        state = {
            "folder": folder,
            "pid": os.getpid(),
            "command": [sys.executable, self.args.command, "--folder", folder],
            "front": topology.address(self.port, "front"),
            "components": [*(each.describe(folder) for each in running), supervisor],
            "latencies": os.path.join(folder, "log", "latencies.jsonl"),
        } | topology.describe_resources(folder, self.port)
        workload_folder.write_state(state)

    async def start_all(self):
        for component in [
            *topology.stores(self.port),
            *topology.workers(self.port),
            topology.front(self.port),
            topology.traffic(self.port, self.args.rate, self.args.seed),
        ]:
            await self.start_and_wait(component)

    async def stop_all(self):
        """Stops all components, clients before the services that they use."""
        for role in ("traffic", "front", "worker", "queue", "biller", None):
            matching = [
                each for each in self.components if each.process and role in (each.role, None)
            ]
            await asyncio.gather(*(self.stop(component) for component in matching))


def kill_group(leader):
    """Kills what remains of a component, such as nginx's workers, which would keep the port."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


async def accepts_connections(address):
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True


async def run(args):
    shop = Shop(args)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, shop.child_exited.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shop.stopping.set)
    control = supervisor_control.SupervisorControl(shop, benign_changes.CHANGES)
    tasks = [
        asyncio.create_task(shop.restart_exited()),
        asyncio.create_task(log_trimmer.run(shop)),
        asyncio.create_task(control.run(settings.control_path(shop.folder, "supervisor"))),
    ]
    starting = asyncio.create_task(shop.start_all())
    stopping = asyncio.create_task(shop.stopping.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    error = starting.exception() if starting.done() else None
    if error:
        shop.log(f"cannot start: {error}")
    else:
        await stopping
    shop.stopping.set()
    starting.cancel()
    await control.cancel_all()
    for task in tasks:
        task.cancel()
    await shop.stop_all()
    return 1 if error else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--command", required=True, help="path of the `shop` command that started it"
    )
    args = parser.parse_args()
    process.initialize("shop-supervisor")
    sys.exit(asyncio.run(run(args)))


if __name__ == "__main__":
    main()
