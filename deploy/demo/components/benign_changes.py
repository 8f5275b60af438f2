"""The benign changes that a healthy shop goes through. Each undoes itself when it is cancelled."""

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager, suppress

import backup as backup_file
import control
import front
import topology


async def deploy(shop):
    """Makes a new release and restarts the web workers with it, one by one."""
    make_release(shop.folder)
    for component in [component for component in shop.components if component.role == "worker"]:
        successor = topology.web(shop.port, int(component.name.split("-")[1]))
        try:
            await shop.stop(component)
        finally:
            # Also if the deploy is cancelled here: all workers must run afterwards.
            if component not in shop.components:
                await asyncio.shield(shop.start_and_wait(successor))
            else:
                component.is_stopping = False
                shop.child_exited.set()
        await asyncio.sleep(1)


def make_release(folder):
    """Copies the current release, makes the copy current, and keeps the previous one."""
    current = os.path.join(folder, "current")
    number = int(os.path.basename(os.path.realpath(current)))
    releases = os.path.join(folder, "releases")
    shutil.copytree(
        os.path.join(releases, str(number)),
        os.path.join(releases, str(number + 1)),
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    os.symlink(os.path.join("releases", str(number + 1)), f"{current}.new")
    os.replace(f"{current}.new", current)
    shutil.rmtree(os.path.join(releases, str(number - 1)), ignore_errors=True)


async def cron(shop):
    """Runs short jobs, one after the other."""
    async with helper(shop, "cron", "cron.py"):
        await asyncio.Event().wait()


async def daemon(shop):
    """Runs a harmless daemon that the host has not had before."""
    listen = topology.endpoint(shop.port, "metrics")
    async with helper(shop, "metrics", "metrics.py", listen, topology.front(shop.port).arguments):
        await asyncio.Event().wait()


async def rotate(shop):
    """Rotates the audit log."""
    async with helper(shop, "rotate", "rotate.py") as component:
        await wait_for_exit(component)


async def backup(shop):
    """Backs up the database."""
    addresses = topology.web(shop.port, 0).arguments
    try:
        async with helper(shop, "backup", "backup.py", arguments=addresses) as component:
            await wait_for_exit(component)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(f"{backup_file.path(shop.folder)}.new")


async def scale(shop, number):
    """Adds web workers, and removes them again when it is cancelled."""
    added = int(number)
    most = topology.MAX_WEB_WORKERS - topology.WEB_WORKERS
    if not 1 <= added <= most:
        raise control.CommandError(f"expected 1 to {most} more web workers, found {number:g}")
    workers = [topology.web(shop.port, topology.WEB_WORKERS + each) for each in range(1, added + 1)]
    try:
        for worker in workers:
            await shop.start_and_wait(worker)
        balance(shop)
        await asyncio.Event().wait()
    finally:
        await asyncio.shield(scale_back(shop, workers))


async def scale_back(shop, workers):
    """Removes the workers from nginx, lets them finish their requests, and stops them."""
    balance(shop, without=workers)
    await asyncio.sleep(1)
    await asyncio.gather(*(shop.stop(worker) for worker in workers if worker.process))


def balance(shop, without=()):
    """Makes nginx share the requests among the running web workers."""
    workers = [component for component in shop.components if component.role == "worker"]
    upstreams = [worker.listen for worker in workers if worker not in without]
    front.write_configuration(shop.folder, topology.endpoint(shop.port, "front"), upstreams)
    for component in shop.components:
        if component.role == "front" and component.process:
            os.kill(component.process.pid, signal.SIGHUP)


@asynccontextmanager
async def helper(shop, name, script, listen=None, arguments=()):
    """Runs a process for as long as the change lasts."""
    if any(component.name == name for component in shop.components):
        raise control.CommandError(f"`{name}` is already running")
    component = topology.Component(
        name, "helper", script, listen, list(arguments), has_control=False, is_stopping=True
    )
    shop.start(component)
    try:
        yield component
    finally:
        await asyncio.shield(shop.stop(component, group=True))


async def wait_for_exit(component):
    while component.process.poll() is None:
        await asyncio.sleep(0.05)
    if component.process.returncode:
        status = component.process.returncode
        raise OSError(f"`{component.name}` exited with {status}; see log/{component.name}.out.log")


CHANGES = {change.__name__: change for change in (deploy, cron, daemon, rotate, backup, scale)}
