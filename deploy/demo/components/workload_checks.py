"""Checks that the machine can run a workload, before anything is created."""

import os
import shutil
import socket

from workload_folder import USER, WorkloadError

# The path of a Unix socket has at most 107 bytes; a workload's longest takes these of them.
MAX_SOCKET_PATH = 107
LONGEST_SOCKET = len("/control/supervisor.sock")
MIN_FREE_MB = 400


def check_folder(folder):
    longest = MAX_SOCKET_PATH - LONGEST_SOCKET
    if len(folder) > longest:
        expected = f"expected at most {longest} bytes, found {len(folder)}"
        raise WorkloadError(f"`{folder}` is too long for the Unix sockets in it: {expected}")
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        raise WorkloadError(f"`{parent}` is not a folder", f"mkdir -p {parent}")
    closed = [path for path in ancestors(folder) if not os.stat(path).st_mode & 0o001]
    if os.getuid() == 0 and closed:
        hint = "use a folder that other users can enter: --folder /var/tmp/workload"
        raise WorkloadError(
            f"`{closed[0]}` is closed to `{USER}`, which runs the workload for root", hint
        )
    free_mb = shutil.disk_usage(parent).free >> 20
    if free_mb < MIN_FREE_MB:
        raise WorkloadError(f"`{parent}` has {free_mb} MB free, expected {MIN_FREE_MB}")


def check_network(ports):
    if not can_reach_loopback():
        raise WorkloadError("the loopback interface is down", "ip link set lo up")
    used = [number for number in ports if not is_free(number)]
    if used:
        hint = "choose a block of a hundred free ports: --port 9400"
        raise WorkloadError(f"port {used[0]} of 127.0.0.1 is in use", hint)


def ancestors(folder):
    parent = os.path.dirname(folder)
    return [] if parent == folder else [*ancestors(parent), parent]


def can_reach_loopback():
    """Returns whether loopback is up: a connection is then refused, and otherwise has no route."""
    with socket.socket() as probe:
        probe.settimeout(2)
        try:
            probe.connect(("127.0.0.1", 9))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return True


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def search_path():
    # Debian installs nginx and mkfs in /usr/sbin, which is not in every user's PATH.
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
