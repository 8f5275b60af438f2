"""Checks that the machine can run the shop, before anything is created."""

import shutil

import database
import topology
import workload_checks
from workload_folder import WorkloadError

PACKAGES = {
    "nginx": "nginx-light",
    "redis-server": "redis-server",
    "nice": "coreutils",
    "ionice": "util-linux",
    "gzip": "gzip",
}
MODULES = {"psycopg2": "python3-psycopg2", "redis": "python3-redis"}


def check(folder, port):
    """Raises `WorkloadError` for the first problem that would keep the shop from starting."""
    check_packages()
    workload_checks.check_folder(folder)
    workload_checks.check_network(used_ports(port))


def check_packages():
    missing = {
        package
        for program, package in PACKAGES.items()
        if not shutil.which(program, path=workload_checks.search_path())
    }
    missing |= {package for module, package in MODULES.items() if not can_import(module)}
    if not database.programs():
        missing.add("postgresql")
    if missing:
        names = sorted(missing)
        hint = f"apt-get install --no-install-recommends {' '.join(names)}"
        raise WorkloadError(f"missing Debian packages: {', '.join(names)}", hint)


def can_import(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def used_ports(port):
    """Returns the ports that the shop listens on, including those of a scale-out."""
    roles = [topology.endpoint(port, role)[1] for role in ("front", "database", "cache", "metrics")]
    numbers = range(1, topology.MAX_WEB_WORKERS + 1)
    return [*roles, *(topology.endpoint(port, "worker", number)[1] for number in numbers)]
