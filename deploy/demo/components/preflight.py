"""Checks that the machine can run the shop, before anything is created."""

import os
import shutil
import socket

import database
import topology
from shop_folder import USER, ShopError

# The path of a Unix socket has at most 107 bytes; the shop's longest takes these of them.
MAX_SOCKET_PATH = 107
LONGEST_SOCKET = len("/control/supervisor.sock")
MIN_FREE_MB = 400
PACKAGES = {
    "nginx": "nginx-light",
    "redis-server": "redis-server",
    "nice": "coreutils",
    "ionice": "util-linux",
    "gzip": "gzip",
}
MODULES = {"psycopg2": "python3-psycopg2", "redis": "python3-redis"}


def check(folder, port):
    """Raises `ShopError` for the first problem that would keep the shop from starting."""
    check_packages()
    check_folder(folder)
    check_network(port)
    parent = os.path.dirname(folder)
    free_mb = shutil.disk_usage(parent).free >> 20
    if free_mb < MIN_FREE_MB:
        raise ShopError(f"`{parent}` has {free_mb} MB free, expected {MIN_FREE_MB}")


def check_packages():
    missing = {
        package
        for program, package in PACKAGES.items()
        if not shutil.which(program, path=search_path())
    }
    missing |= {package for module, package in MODULES.items() if not can_import(module)}
    if not database.programs():
        missing.add("postgresql")
    if missing:
        names = sorted(missing)
        hint = f"apt-get install --no-install-recommends {' '.join(names)}"
        raise ShopError(f"missing Debian packages: {', '.join(names)}", hint)


def check_folder(folder):
    longest = MAX_SOCKET_PATH - LONGEST_SOCKET
    if len(folder) > longest:
        expected = f"expected at most {longest} bytes, found {len(folder)}"
        raise ShopError(f"`{folder}` is too long for the Unix sockets in it: {expected}")
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        raise ShopError(f"`{parent}` is not a folder", f"mkdir -p {parent}")
    closed = [path for path in ancestors(folder) if not os.stat(path).st_mode & 0o001]
    if os.getuid() == 0 and closed:
        hint = "use a folder that other users can enter: --folder /var/tmp/shop"
        raise ShopError(f"`{closed[0]}` is closed to `{USER}`, which runs the shop for root", hint)


def check_network(port):
    if not can_reach_loopback():
        raise ShopError("the loopback interface is down", "ip link set lo up")
    used = [number for number in used_ports(port) if not is_free(number)]
    if used:
        hint = "choose a block of a hundred free ports: --port 9400"
        raise ShopError(f"port {used[0]} of 127.0.0.1 is in use", hint)


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


def used_ports(port):
    """Returns the ports that the shop listens on, including those of a scale-out."""
    roles = [topology.endpoint(port, role)[1] for role in ("front", "database", "cache", "metrics")]
    numbers = range(1, topology.MAX_WEB_WORKERS + 1)
    return [*roles, *(topology.endpoint(port, "web", number)[1] for number in numbers)]


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
