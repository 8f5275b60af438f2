"""The benign changes: what a healthy shop goes through, done right. Each is undone when it is cancelled."""

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager, suppress

import backup as backup_file
import control
import front
import roster


async def deploy(shop):
    """A new release, and the web workers restarted with it one by one."""
    make_release(shop.folder)
    for part in [part for part in shop.parts if part.role == "web"]:
        successor = roster.web(shop.port, int(part.name.split("-")[1]))
        try:
            await shop.ended(part)
        finally:
            # Also when the deploy is called off here: no worker may be missing afterwards.
            if part not in shop.parts:
                await asyncio.shield(shop.started(successor))
            else:
                part.dismissed = False
                shop.changed.set()
        await asyncio.sleep(1)


def make_release(folder):
    """Copies the current release and makes the copy current; the one before stays."""
    current = os.path.join(folder, "current")
    number = int(os.path.basename(os.path.realpath(current)))
    releases = os.path.join(folder, "releases")
    shutil.copytree(os.path.join(releases, str(number)), os.path.join(releases, str(number + 1)), ignore=shutil.ignore_patterns("__pycache__"))
    os.symlink(os.path.join("releases", str(number + 1)), f"{current}.new")
    os.replace(f"{current}.new", current)
    shutil.rmtree(os.path.join(releases, str(number - 1)), ignore_errors=True)


async def cron(shop):
    """Short jobs, one after the other."""
    async with helper(shop, "cron", "cron.py"):
        await asyncio.Event().wait()


async def daemon(shop):
    """A daemon that the host has not had before, and that does no harm."""
    listen = roster.endpoint(shop.port, "metrics")
    async with helper(shop, "metrics", "metrics.py", listen, roster.front(shop.port).arguments):
        await asyncio.Event().wait()


async def rotate(shop):
    async with helper(shop, "rotate", "rotate.py") as part:
        await finished(part)


async def backup(shop):
    address = roster.web(shop.port, 0).arguments
    try:
        async with helper(shop, "backup", "backup.py", arguments=address) as part:
            await finished(part)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(f"{backup_file.path(shop.folder)}.new")


async def scale(shop, number):
    """More web workers, and back."""
    added = int(number)
    most = roster.MOST_WEB_WORKERS - roster.WEB_WORKERS
    if not 1 <= added <= most:
        raise control.Refused(f"expected 1 to {most} more web workers, found {number:g}")
    more = [roster.web(shop.port, roster.WEB_WORKERS + each) for each in range(1, added + 1)]
    try:
        for part in more:
            await shop.started(part)
        balance(shop)
        await asyncio.Event().wait()
    finally:
        await asyncio.shield(scale_back(shop, more))


async def scale_back(shop, more):
    """Takes them from nginx, lets them finish, and ends them."""
    balance(shop, without=more)
    await asyncio.sleep(1)
    await asyncio.gather(*(shop.ended(part) for part in more if part.process))


def balance(shop, without=()):
    """Has nginx share the requests among the web workers that there are."""
    upstreams = [part.listen for part in shop.parts if part.role == "web" and part not in without]
    front.write_configuration(shop.folder, roster.endpoint(shop.port, "front"), upstreams)
    for part in shop.parts:
        if part.role == "front" and part.process:
            os.kill(part.process.pid, signal.SIGHUP)


@asynccontextmanager
async def helper(shop, name, script, listen=None, arguments=()):
    """A process that is there for the change alone."""
    if any(part.name == name for part in shop.parts):
        raise control.Refused(f"`{name}` is under way")
    part = roster.Part(name, "helper", script, listen, list(arguments), has_control=False, dismissed=True)
    shop.start(part)
    try:
        yield part
    finally:
        await asyncio.shield(shop.ended(part, group=True))


async def finished(part):
    while part.process.poll() is None:
        await asyncio.sleep(0.05)
    if part.process.returncode:
        raise OSError(f"`{part.name}` ended with {part.process.returncode}; log/{part.name}.out.log tells why")


CHANGES = {change.__name__: change for change in (deploy, cron, daemon, rotate, backup, scale)}
