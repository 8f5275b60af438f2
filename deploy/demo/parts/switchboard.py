"""The supervisor's control socket: the same line as the other parts', for the changes that concern several of them."""

import asyncio
import contextlib
import os
import select
import socket
import time

import control
import settings


class Switchboard:
    def __init__(self, shop, changes):
        self.shop, self.changes = shop, changes
        self.under_way = set()

    async def run(self, path):
        listener = control.listen(path)
        listener.setblocking(False)
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            task = asyncio.create_task(self._answer(client))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)

    async def hang_up(self):
        """Ends all changes, and waits until they are undone."""
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)

    async def _answer(self, client):
        with client:
            try:
                await self._obey(client)
            except control.Refused as refused:
                await tell(client, f"error: {refused}\n")
            except OSError as error:
                self.shop.say(f"an order failed: {error}")
                await tell(client, f"error: {error}\n")

    async def _obey(self, client):
        await asyncio.wait_for(readable(client), 5)
        line, descriptors, _, _ = socket.recv_fds(client, control.LONGEST_LINE, 1)
        name, arguments, seconds = control.parse(line.decode(errors="replace").strip(), [*self.changes, "crash"])
        if name == "crash":
            await self._crash(client, arguments, seconds, descriptors)
            return
        numbers = [control.number(text) for text in arguments]
        try:
            change = self.changes[name](self.shop, *numbers)
        except TypeError:
            raise control.Refused(f"`{name}` was given {len(numbers)} arguments, which is not what it takes") from None
        work = asyncio.create_task(change)
        # What cannot be done is refused at its first step.
        await asyncio.sleep(0)
        if work.done() and work.exception():
            raise work.exception()
        await tell(client, "begun\n")
        await self._while_wanted(work, client, seconds)
        await tell(client, "ended\n")

    async def _while_wanted(self, work, client, seconds):
        """Waits until the change is done, its time over or its client gone. It undoes itself when it is cancelled."""
        gone = asyncio.create_task(hung_up(client))
        try:
            await asyncio.wait([work, gone], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            work.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
        if not work.cancelled() and work.exception():
            raise OSError(str(work.exception()))

    async def _crash(self, client, arguments, seconds, descriptors):
        """Keeps a worker crashing. It may have handed its own client over, because it is about to end."""
        with socket.socket(fileno=descriptors[0]) if descriptors else contextlib.nullcontext(client) as customer:
            path = self._path_of_crash(arguments)
            with open(path, "x") as file:
                file.write(str(time.time() + seconds))
            try:
                await tell(customer, "begun\n")
                if descriptors:
                    await tell(client, "taken\n")
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(hung_up(customer), seconds)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            await tell(customer, "ended\n")

    def _path_of_crash(self, arguments):
        names = [part.name for part in self.shop.parts if part.role == "web"]
        if len(arguments) != 1 or arguments[0] not in names:
            raise control.Refused(f"expected one of {', '.join(names)}, found `{' '.join(arguments)}`")
        path = settings.crash_path(self.shop.folder, arguments[0])
        if os.path.exists(path):
            raise control.Refused(f"`{arguments[0]}` is under orders to crash")
        return path


async def tell(client, text):
    client.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_sendall(client, text.encode())
    except OSError:
        # The client has hung up, which whoever waits for it sees.
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
        if select.select([client], [], [], 0)[0] and not client.recv(control.LONGEST_LINE):
            return
