"""The components of the warehouse, in the order they are started."""

import os
import sys
from dataclasses import dataclass, field

import settings

WORKERS = 3
PORTS = {"database": 0, "worker": 1}
# The commands of each role's control socket.
COMMANDS = {
    "database": ["hang", "no-accept"],
    "worker": ["files", "leak", "ledger", "loop", "threads"],
    "consumer": ["unread-pipe"],
    "collector": ["unread-socket"],
    "jobs": ["zombies"],
}
# The roles whose components wait when a component of a role does not answer or read.
CLIENTS = {
    "database": ["worker", "checker"],
    "worker": ["client"],
    "consumer": ["feed"],
    "collector": ["reporter"],
}


@dataclass
class Component:
    """A process of the warehouse. `process` is set while it runs."""

    name: str
    role: str
    script: str
    port: int | None = None
    arguments: list = field(default_factory=list)
    # The name of the component whose standard output is a pipe to this one's standard input.
    input: str | None = None
    process: object = None

    def command(self, folder):
        script = os.path.join(folder, "current", self.script)
        program = sys.executable if script.endswith(".py") else "/bin/sh"
        port = [str(self.port)] if self.port else []
        return [program, script, self.name, folder, *port, *self.arguments]

    def describe(self, folder):
        """Returns the component's entry in the state file."""
        has_control = self.role in COMMANDS
        return {
            "name": self.name,
            "role": self.role,
            "pid": self.process.pid,
            "endpoint": f"127.0.0.1:{self.port}" if self.port else None,
            "control": settings.control_path(folder, self.name) if has_control else None,
            "commands": COMMANDS.get(self.role, []),
            "clients": CLIENTS.get(self.role, []),
        }


def used_ports(port):
    return range(port, port + 1 + WORKERS)


def components(port):
    database = port + PORTS["database"]
    workers = [port + PORTS["worker"] + number for number in range(WORKERS)]
    return [
        Component("database", "database", "database.py", database),
        *(
            Component(f"worker-{number}", "worker", "worker.py", worker, [str(database)])
            for number, worker in enumerate(workers, 1)
        ),
        Component("client", "client", "client.py", arguments=[str(each) for each in workers]),
        Component("checker", "checker", "checker.py", arguments=[str(database)]),
        Component("feed", "feed", "feed.py"),
        Component("consumer", "consumer", "consumer.py", input="feed"),
        Component("collector", "collector", "collector.py"),
        Component("reporter", "reporter", "reporter.py"),
        Component("journal", "journal", "journal.py"),
        Component("spooler", "spooler", "spooler.py"),
        Component("jobs", "jobs", "jobs.py"),
        Component("cron", "cron", "cron.sh"),
    ]


def describe_resources(folder):
    """Returns the entries of the state file that are about files."""
    spool = os.path.join(folder, "spool")
    return {
        "log": {"path": os.path.join(folder, "log", "orders.log"), "users": ["worker"]},
        "ledger": {"path": os.path.join(folder, "data", "ledger.dat"), "users": ["worker"]},
        "spool": {"path": spool, "users": ["spooler"], "is_mounted": os.path.ismount(spool)},
        "disk_users": ["journal"],
    }
