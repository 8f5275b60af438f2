"""The components of the shop, in the order they are started."""

import os
import signal
import sys
from dataclasses import dataclass, field

import settings

WEB_WORKERS = 3
# Web workers that a scale-out adds use the following ports.
MAX_WEB_WORKERS = 8
PORTS = {"front": 0, "worker": 10, "database": 32, "cache": 79, "metrics": 90}


# The commands of each role's control socket.
COMMANDS = {
    "worker": [
        "connections",
        "crash",
        "no-accept",
        "files",
        "flood",
        "leak",
        "loop",
        "slow",
        "stuck",
        "threads",
    ],
    "queue": ["ledger", "stuck"],
    "traffic": ["load"],
    "supervisor": ["backup", "cron", "daemon", "deploy", "rotate", "scale"],
}
# The roles whose components wait when a component of a role does not answer.
CLIENTS = {
    "front": ["traffic"],
    "worker": ["front"],
    "database": ["worker", "queue"],
    "cache": ["worker", "queue"],
}


@dataclass
class Component:
    """A process group of the shop. `process` is set while it runs."""

    name: str
    role: str
    script: str
    listen: tuple | None = None
    arguments: list = field(default_factory=list)
    has_control: bool = True
    stop_signal: signal.Signals = signal.SIGTERM
    process: object = None
    # Stopped on purpose, so not to be restarted.
    is_stopping: bool = False

    def command(self, folder):
        listen = ["--listen", settings.format_address(self.listen)] if self.listen else []
        script = os.path.join(folder, "current", self.script)
        return [
            sys.executable,
            script,
            "--name",
            self.name,
            "--folder",
            folder,
            *listen,
            *self.arguments,
        ]

    def describe(self, folder):
        """Returns the component's entry in the state file."""
        control = settings.control_path(folder, self.name) if self.has_control else None
        listen = settings.format_address(self.listen) if self.listen else None
        return describe(self.name, self.role, self.process.pid, listen, control)


def describe(name, role, pid, listen, control):
    return {
        "name": name,
        "role": role,
        "pid": pid,
        "endpoint": listen,
        "control": control,
        "commands": COMMANDS.get(role, []),
        "clients": CLIENTS.get(role, []),
    }


def describe_resources(folder, port):
    """Returns the entries of the state file that are about files and the database."""
    spool = os.path.join(folder, "spool")
    return {
        "log": {"path": os.path.join(folder, "log", "audit.log"), "users": ["worker"]},
        "ledger": {
            "path": os.path.join(folder, "data", "ledger.dat"),
            "users": ["biller", "worker"],
        },
        "spool": {"path": spool, "users": ["worker"], "is_mounted": os.path.ismount(spool)},
        "disk_users": ["database", "worker"],
        "postgres": {
            "endpoint": address(port, "database"),
            "name": "shop",
            "user": "shop",
            "table": "stock",
        },
    }


def endpoint(port, role, number=0):
    return "127.0.0.1", port + PORTS[role] + number


def address(port, role, number=0):
    return settings.format_address(endpoint(port, role, number))


def web(port, number):
    arguments = ["--database", address(port, "database"), "--cache", address(port, "cache")]
    return Component(
        f"web-{number}", "worker", "web.py", endpoint(port, "worker", number), arguments
    )


def stores(port):
    database = Component(
        "database",
        "database",
        "database.py",
        endpoint(port, "database"),
        has_control=False,
        # On SIGINT, PostgreSQL closes its connections and shuts down; on SIGTERM it waits for them.
        stop_signal=signal.SIGINT,
    )
    cache = Component("cache", "cache", "cache.py", endpoint(port, "cache"), has_control=False)
    return [database, cache]


def workers(port):
    store_addresses = web(port, 0).arguments
    return [
        *(web(port, number) for number in range(1, WEB_WORKERS + 1)),
        Component("queue", "queue", "queue_worker.py", arguments=store_addresses),
        Component("biller", "biller", "biller.py"),
    ]


def front(port):
    addresses = [address(port, "worker", number) for number in range(1, WEB_WORKERS + 1)]
    upstreams = [word for each in addresses for word in ("--upstream", each)]
    return Component(
        "front", "front", "front.py", endpoint(port, "front"), upstreams, has_control=False
    )


def traffic(port, rate, seed):
    arguments = ["--front", address(port, "front"), "--rate", str(rate), "--seed", str(seed)]
    return Component("traffic", "traffic", "traffic.py", arguments=arguments)
