"""The folder of a workload: its owner, and the state file `workload.json` in it."""

import errno
import hashlib
import json
import os
import pwd
import socket
import stat
from contextlib import contextmanager

STATE = "workload.json"
MARKER = ".detective-workload"
# What is read of the state file.
MAX_STATE_BYTES = 1 << 20
# The longest name of an abstract Unix socket, in bytes.
MAX_SOCKET_NAME = 107
# The user that runs the workload when root starts it.
USER = "nobody"


class WorkloadError(Exception):
    """An error to show to the user, with an optional hint what to do."""

    def __init__(self, text, hint=None):
        super().__init__(text)
        self.hint = hint


def default(name):
    """Returns the folder that the environment names, or else the workload's own one in `/tmp`."""
    return os.environ.get("DETECTIVE_WORKLOAD") or f"/tmp/detective-{name}-{os.getuid()}"


@contextmanager
def open_folder(path):
    """Yields a descriptor of the folder, or None if it is no workload's or not this user's.

    In `/tmp`, any user can create a folder of that name first, and the owner of a folder can
    replace it at any time: what root does to its content, it does through the descriptor.
    """
    owners = {os.getuid()}
    if os.getuid() == 0:
        owners.add(pwd.getpwnam(USER).pw_uid)
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield None
        return
    try:
        is_workload = os.fstat(folder).st_uid in owners and MARKER in os.listdir(folder)
        yield folder if is_workload else None
    finally:
        os.close(folder)


def open_file(folder, name):
    """Opens a file in a folder, which is a descriptor, for reading.

    Raises `FileNotFoundError` for anything but a plain file: the owner of the folder can create
    links, and pipes whose opening blocks.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise FileNotFoundError(error.errno, error.strerror, name) from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "not a plain file", name)
    return open(file, "rb")


def read_state(path):
    """Returns the content of the state file, or None if there is none."""
    with open_folder(path) as folder:
        if folder is None:
            return None
        try:
            with open_file(folder, STATE) as file:
                state = json.loads(file.read(MAX_STATE_BYTES))
        except FileNotFoundError:
            return None
        except ValueError as error:
            hint = "stop the workload, then start it again"
            raise WorkloadError(f"`{path}/{STATE}` is not JSON: {error}", hint) from None
        # The file does not decide which folder is meant.
        return state | {"folder": path, "owner": os.fstat(folder).st_uid}


def write_state(state):
    """Replaces the state file."""
    path = os.path.join(state["folder"], STATE)
    with open(f"{path}.new", "w") as file:
        json.dump(state, file, indent=1)
    os.replace(f"{path}.new", path)


def become_owner(path):
    """Gives up the permissions of root, unless the folder is a workload of root.

    The unprivileged user can put links in the folder, and paths in its state file.
    """
    with open_folder(path) as folder:
        if os.getuid() != 0 or (folder is not None and os.fstat(folder).st_uid == 0):
            return
    owner = pwd.getpwnam(USER)
    os.setgroups([])
    os.setgid(owner.pw_gid)
    os.setuid(owner.pw_uid)


def running_state(folder):
    """Returns the content of the state file; raises `WorkloadError` unless the workload runs."""
    state = read_state(folder)
    if not state or not is_running(state):
        raise WorkloadError(f"no workload runs in `{folder}`", "start it")
    return state


def is_running(state):
    """Returns whether the supervisor that wrote the state runs as the owner of the folder.

    Its pid may have been reused, and the owner of the folder can write any pid.
    """
    process = f"/proc/{int(state['pid'])}"
    try:
        with open(f"{process}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        is_owners = os.stat(process).st_uid == state["owner"]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return is_owners and f"{state['folder']}/current/supervisor.py".encode() in words


def control_socket(state, name):
    """Returns the path of a component's control socket."""
    for component in state["components"]:
        if component["name"] == name and component["control"]:
            return component["control"]
    raise WorkloadError(f"no component `{name}` with a control socket is running")


@contextmanager
def exclusive(folder):
    """Ensures that one process at a time starts or stops the workload.

    The lock is an abstract socket: the kernel releases it when this process exits, and no child
    inherits it.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind(b"\0" + lock_name(folder))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise WorkloadError(
                f"the workload in `{folder}` is being started or stopped", "wait a moment"
            ) from None
        yield


def lock_name(folder):
    name = b"detective-workload-" + os.fsencode(folder)
    if len(name) <= MAX_SOCKET_NAME:
        return name
    return b"detective-workload-" + hashlib.sha256(name).hexdigest().encode()
