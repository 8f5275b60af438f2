"""Stopping a workload: its processes, spool and folder, even if the supervisor was killed."""

import ctypes
import os
import shutil
import signal
import time

from workload_folder import WorkloadError, is_running, open_folder, read_state

TIMEOUT_SECONDS = 25
# Flags of umount2(2).
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8
PROGRAMS = (
    "python3",
    "nginx",
    "redis-",
    "postgres",
    "pg_dump",
    "gzip",
    "dash",
    "sh",
    "busybox",
    "bash",
    "ionice",
)


def stop_workload(path):
    """Stops the workload in this folder and removes the folder. Does nothing if there is none."""
    if not os.path.lexists(path):
        return
    with open_folder(path) as folder:
        if folder is None:
            hint = "remove it, or name another: --folder DIR"
            raise WorkloadError(f"`{path}` is not the folder of a workload of yours", hint)
        stop_supervisor(path)
        kill_leftovers(path, os.fstat(folder).st_uid)
        unmount_spool(folder, path)
    # It follows no links.
    shutil.rmtree(path)


def stop_supervisor(path):
    try:
        state = read_state(path)
    except WorkloadError:
        # `kill_leftovers` finds it.
        return
    if not state or not is_running(state):
        return
    send_signal(state["pid"], signal.SIGTERM)
    # A stopped process does not handle SIGTERM until it continues.
    send_signal(state["pid"], signal.SIGCONT)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while is_running(state) and time.monotonic() < deadline:
        time.sleep(0.05)


def kill_leftovers(folder, owner):
    """Ends processes of the folder's owner that a killed supervisor left behind.

    SIGINT comes first, because PostgreSQL shuts down cleanly on it.
    """
    for number, seconds in ((signal.SIGINT, 3), (signal.SIGTERM, 3), (signal.SIGKILL, 5)):
        leftovers = find_leftovers(folder, owner)
        for pid in leftovers:
            send_signal(pid, number)
            send_signal(pid, signal.SIGCONT)
        deadline = time.monotonic() + seconds
        while leftovers and time.monotonic() < deadline:
            time.sleep(0.1)
            leftovers = find_leftovers(folder, owner)
        if not leftovers:
            return
    pids = ", ".join(map(str, find_leftovers(folder, owner)))
    raise WorkloadError(f"processes of the workload do not exit: {pids}")


def find_leftovers(folder, owner):
    """Returns the pids of processes that belong to the workload.

    These run one of its programs as the owner of its folder, work in that folder and have no
    terminal. The last condition leaves out a person's shell.
    """
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            cwd = os.readlink(f"/proc/{name}/cwd")
            program = os.path.basename(os.readlink(f"/proc/{name}/exe"))
            is_owners = os.stat(f"/proc/{name}").st_uid == owner
            with open(f"/proc/{name}/stat") as file:
                terminal = file.read().rpartition(")")[2].split()[4]
        except OSError:
            # The process has exited or belongs to another user.
            continue
        is_inside = cwd == folder or cwd.startswith(f"{folder}/")
        is_known = program.startswith(PROGRAMS) and int(name) != os.getpid()
        if is_inside and is_owners and terminal == "0" and is_known:
            found.append(int(name))
    return found


def is_alive(pid):
    """Returns whether a process runs; one that has exited and was not reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def send_signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def unmount_spool(folder, path):
    """Unmounts the spool in a folder, which is a descriptor, if it is mounted."""
    spool = f"/proc/self/fd/{folder}/spool"
    for flags in (0, MNT_DETACH):
        if os.path.ismount(spool):
            ctypes.CDLL(None).umount2(spool.encode(), flags | UMOUNT_NOFOLLOW)
    if os.path.ismount(spool):
        hint = f"umount {path}/spool, then stop the workload again"
        raise WorkloadError(f"cannot unmount `{path}/spool`", hint)
