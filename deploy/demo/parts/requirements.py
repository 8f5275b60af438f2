"""What the shop needs of the machine it is opened on; what is missing is found before anything is made."""

import os
import shutil
import socket

import database
import roster
from folder import USER, Trouble

# A unix socket's address has at most 107 bytes, of which the longest of the shop takes these.
LONGEST_SOCKET = len("/control/supervisor.sock")
LEAST_FREE_MB = 400
PACKAGES = {"nginx": "nginx-light", "redis-server": "redis-server", "nice": "coreutils", "ionice": "util-linux", "gzip": "gzip"}
MODULES = {"psycopg2": "python3-psycopg2", "redis": "python3-redis"}


def check(folder, port):
    """Raises the first trouble that would keep the shop from opening."""
    missing = {package for program, package in PACKAGES.items() if not shutil.which(program, path=search_path())}
    missing |= {package for module, package in MODULES.items() if not can_import(module)}
    if not database.programs():
        missing.add("postgresql")
    if missing:
        raise Trouble(f"Debian packages are missing: {', '.join(sorted(missing))}", f"apt-get install --no-install-recommends {' '.join(sorted(missing))}")
    if len(folder) + LONGEST_SOCKET > 107:
        raise Trouble(f"`{folder}` is too long for the unix sockets in it: at most {107 - LONGEST_SOCKET} bytes, found {len(folder)}")
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        raise Trouble(f"`{parent}` is not a folder", f"mkdir -p {parent}")
    closed = [path for path in ancestors(folder) if not os.stat(path).st_mode & 0o001]
    if os.getuid() == 0 and closed:
        raise Trouble(f"`{closed[0]}` is closed to others, and root's shop runs as `{USER}`", "name a folder that is not: --folder /var/tmp/shop")
    if not can_reach_loopback():
        raise Trouble("the loopback interface is down", "ip link set lo up")
    taken = [number for number in used_ports(port) if not is_free(number)]
    if taken:
        raise Trouble(f"port {taken[0]} of 127.0.0.1 is taken", "choose a block of a hundred free ports: --port 9400")
    free = shutil.disk_usage(parent).free >> 20
    if free < LEAST_FREE_MB:
        raise Trouble(f"`{parent}` has {free} MB free, expected {LEAST_FREE_MB}")


def ancestors(folder):
    parent = os.path.dirname(folder)
    return [] if parent == folder else [*ancestors(parent), parent]


def can_import(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def can_reach_loopback():
    """A connection is refused where there is a loopback, and has no way to go where there is none."""
    with socket.socket() as probe:
        probe.settimeout(2)
        try:
            probe.connect(("127.0.0.1", 9))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return True


def used_ports(port):
    web = [roster.endpoint(port, "web", number)[1] for number in range(1, roster.MOST_WEB_WORKERS + 1)]
    return [*(roster.endpoint(port, role)[1] for role in ("front", "database", "cache", "metrics")), *web]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def search_path():
    # Debian keeps nginx and mkfs where only root looks.
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
