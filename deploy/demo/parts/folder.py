"""The shop's folder: which it is, whose it is, and what `shop.json` in it says."""

import errno
import hashlib
import json
import os
import pwd
import socket
from contextlib import contextmanager

MARKER = ".detective-shop"
# What the kernel takes of a name for a socket without a file.
LONGEST_NAME = 107
# Who runs root's shop.
USER = "nobody"


class Trouble(Exception):
    """Something that a person should know about, and a hint what to do."""

    def __init__(self, text, hint=None):
        super().__init__(text)
        self.hint = hint


def default():
    return os.environ.get("DETECTIVE_SHOP") or f"/tmp/detective-shop-{os.getuid()}"


def is_shop(folder):
    """Whether it is a shop's, and our own: in `/tmp`, anybody can have made one first."""
    owners = {os.getuid(), pwd.getpwnam(USER).pw_uid} if os.getuid() == 0 else {os.getuid()}
    return os.path.isfile(os.path.join(folder, MARKER)) and os.stat(folder).st_uid in owners


def read_state(folder):
    """What `shop.json` says; None if there is none."""
    if not is_shop(folder):
        return None
    try:
        with open(os.path.join(folder, "shop.json")) as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Trouble(f"`{folder}/shop.json` is not JSON: {error}", "shop stop, then shop start") from None


def open_state(folder):
    """What `shop.json` says of a shop that is open."""
    state = read_state(folder)
    if not state or not is_running(state):
        raise Trouble(f"no shop is open in `{folder}`", "shop start")
    return state


def is_running(state):
    """Whether the supervisor that wrote the state lives, and is no other process that has its number now."""
    try:
        with open(f"/proc/{state['pid']}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return f"{state['folder']}/current/supervisor.py".encode() in words


def control_of(state, name):
    """The control socket of a part."""
    for part in state["parts"]:
        if part["name"] == name and part["control"]:
            return part["control"]
    raise Trouble(f"no part `{name}` runs that takes orders")


@contextmanager
def alone(folder):
    """For one who opens or closes the shop at a time. The kernel forgets the name with this process, and no child inherits it."""
    with socket.socket(socket.AF_UNIX) as held:
        try:
            held.bind(b"\0" + name_of(folder))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise Trouble(f"the shop in `{folder}` is being opened or closed", "wait a moment") from None
        yield


def name_of(folder):
    name = b"detective-shop-" + os.fsencode(folder)
    return name if len(name) <= LONGEST_NAME else b"detective-shop-" + hashlib.sha256(name).hexdigest().encode()
