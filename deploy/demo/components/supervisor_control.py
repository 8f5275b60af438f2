"""The supervisor's control socket: the protocol of `control.py`, for changes of the whole shop."""

import asyncio
import contextlib
import os
import select
import socket
import time

import control
import settings


class SupervisorControl:
    def __init__(self, shop, changes):
        self.shop, self.changes = shop, changes
        self.tasks = set()

    async def run(self, path):
        listener = control.listen(path)
        listener.setblocking(False)
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            task = asyncio.create_task(self._answer(client))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def cancel_all(self):
        """Cancels all changes and waits until they are undone."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _answer(self, client):
        with client:
            try:
                await self._execute(client)
            except control.CommandError as error:
                await send(client, f"error: {error}\n")
            except OSError as error:
                self.shop.log(f"a command failed: {error}")
                await send(client, f"error: {error}\n")

    async def _execute(self, client):
        await asyncio.wait_for(readable(client), 5)
        line, descriptors, _, _ = socket.recv_fds(client, control.MAX_LINE_BYTES, 1)
        text = line.decode(errors="replace").strip()
        name, arguments, seconds = control.parse(text, [*self.changes, "crash"])
        if name == "crash":
            await self._crash(client, arguments, seconds, descriptors)
            return
        numbers = [control.parse_number(text) for text in arguments]
        try:
            change = self.changes[name](self.shop, *numbers)
        except TypeError:
            raise control.CommandError(f"`{name}` does not take {len(numbers)} arguments") from None
        work = asyncio.create_task(change)
        # A change that cannot be made fails in its first step.
        await asyncio.sleep(0)
        if work.done() and work.exception():
            raise work.exception()
        await send(client, "begun\n")
        await self._run_while_connected(work, client, seconds)
        await send(client, "ended\n")

    async def _run_while_connected(self, work, client, seconds):
        """Waits until the change is done, the time is over or the client hangs up; undoes it."""
        disconnected = asyncio.create_task(hung_up(client))
        try:
            await asyncio.wait(
                [work, disconnected], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            disconnected.cancel()
            work.cancel()
            await asyncio.gather(work, disconnected, return_exceptions=True)
        if not work.cancelled() and work.exception():
            raise OSError(str(work.exception()))

    async def _crash(self, client, arguments, seconds, descriptors):
        """Makes a web worker crash repeatedly.

        A worker passes the connection of its own client along, because it is about to exit.
        """
        if descriptors:
            connection = socket.socket(fileno=descriptors[0])
        else:
            connection = contextlib.nullcontext(client)
        with connection as original_client:
            path = self._crash_path(arguments)
            with open(path, "x") as file:
                file.write(str(time.time() + seconds))
            try:
                await send(original_client, "begun\n")
                if descriptors:
                    await send(client, "taken\n")
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(hung_up(original_client), seconds)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            await send(original_client, "ended\n")

    def _crash_path(self, arguments):
        names = [component.name for component in self.shop.components if component.role == "worker"]
        if len(arguments) != 1 or arguments[0] not in names:
            raise control.CommandError(
                f"expected one of {', '.join(names)}, found `{' '.join(arguments)}`"
            )
        path = settings.crash_path(self.shop.folder, arguments[0])
        if os.path.exists(path):
            raise control.CommandError(f"`crash` is already running for `{arguments[0]}`")
        return path


async def send(client, text):
    client.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_sendall(client, text.encode())
    except OSError:
        # The client has hung up; `hung_up` reports that.
        return


async def readable(client):
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(client, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(client)


async def hung_up(client):
    while True:
        await readable(client)
        if select.select([client], [], [], 0)[0] and not client.recv(control.MAX_LINE_BYTES):
            return
