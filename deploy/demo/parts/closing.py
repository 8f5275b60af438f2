"""Closing the shop: whatever of it still runs, its spool, its folder. Also after a supervisor that was killed."""

import os
import shutil
import signal
import subprocess
import time

from folder import Trouble, is_running, is_shop, read_state

PATIENCE_SECONDS = 25
PROGRAMS = ("python3", "nginx", "redis-", "postgres", "pg_dump", "gzip", "dash", "sh", "busybox", "bash", "ionice")


def close_shop(folder):
    """Leaves nothing."""
    if not os.path.lexists(folder):
        return
    if not is_shop(folder):
        raise Trouble(f"`{folder}` is not a folder of your shop", "remove it, or name another: --folder DIR")
    end_supervisor(folder)
    end_strays(folder)
    unmount(os.path.join(folder, "spool"))
    shutil.rmtree(folder)


def end_supervisor(folder):
    try:
        state = read_state(folder)
    except Trouble:
        # It is found among the strays.
        return
    if not state or not is_running(state):
        return
    send(state["pid"], signal.SIGTERM)
    # One that was stopped hears nothing.
    send(state["pid"], signal.SIGCONT)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_running(state) and time.monotonic() < deadline:
        time.sleep(0.05)


def end_strays(folder):
    """Ends what a supervisor that was killed has left: gently for PostgreSQL's sake, then by force."""
    for number, seconds in ((signal.SIGINT, 3), (signal.SIGTERM, 3), (signal.SIGKILL, 5)):
        strays = find_strays(folder)
        for pid in strays:
            send(pid, number)
            send(pid, signal.SIGCONT)
        deadline = time.monotonic() + seconds
        while strays and time.monotonic() < deadline:
            time.sleep(0.1)
            strays = find_strays(folder)
        if not strays:
            return
    raise Trouble(f"processes of the shop do not end: {', '.join(map(str, find_strays(folder)))}")


def find_strays(folder):
    """Processes of the shop's owner and programs that work in its folder and have no terminal: a person's shell is none."""
    owner = os.stat(folder).st_uid
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            where, program = os.readlink(f"/proc/{name}/cwd"), os.path.basename(os.readlink(f"/proc/{name}/exe"))
            is_owners = os.stat(f"/proc/{name}").st_uid == owner
            with open(f"/proc/{name}/stat") as file:
                terminal = file.read().rpartition(")")[2].split()[4]
        except OSError:
            # It has ended, or is somebody else's.
            continue
        inside = where == folder or where.startswith(f"{folder}/")
        if inside and is_owners and terminal == "0" and program.startswith(PROGRAMS) and int(name) != os.getpid():
            found.append(int(name))
    return found


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def unmount(spool):
    if os.path.ismount(spool) and subprocess.run(["umount", spool], capture_output=True, check=False).returncode != 0:
        subprocess.run(["umount", "--lazy", spool], capture_output=True, check=False)
    if os.path.ismount(spool):
        raise Trouble(f"`{spool}` cannot be unmounted", f"umount {spool}, then shop stop")
