"""Which parts the shop has, in the order they are started."""

import os
import signal
import sys
from dataclasses import dataclass, field

import settings

WEB_WORKERS = 3
# Web workers that a scale-out adds have the ports after theirs.
MOST_WEB_WORKERS = 8
PORTS = {"front": 0, "web": 10, "database": 32, "cache": 79, "metrics": 90}


@dataclass
class Part:
    """A part as it is to run. `process` is there while it does."""

    name: str
    role: str
    script: str
    listen: tuple | None = None
    arguments: list = field(default_factory=list)
    has_control: bool = True
    stop_signal: signal.Signals = signal.SIGTERM
    process: object = None
    # Ended on purpose, so not to be started again.
    dismissed: bool = False

    def command(self, folder):
        listen = ["--listen", settings.show(self.listen)] if self.listen else []
        script = os.path.join(folder, "current", self.script)
        return [sys.executable, script, "--name", self.name, "--folder", folder, *listen, *self.arguments]

    def describe(self, folder):
        return {
            "name": self.name,
            "role": self.role,
            "pid": self.process.pid,
            "endpoint": settings.show(self.listen) if self.listen else None,
            "control": settings.control_path(folder, self.name) if self.has_control else None,
        }


def endpoint(port, role, number=0):
    return "127.0.0.1", port + PORTS[role] + number


def web(port, number):
    stores = ["--database", settings.show(endpoint(port, "database")), "--cache", settings.show(endpoint(port, "cache"))]
    return Part(f"web-{number}", "web", "web.py", endpoint(port, "web", number), stores)


def stores(port):
    # SIGINT has PostgreSQL end its connections and shut down, SIGTERM wait for them.
    database = Part("database", "database", "database.py", endpoint(port, "database"), has_control=False, stop_signal=signal.SIGINT)
    return [database, Part("cache", "cache", "cache.py", endpoint(port, "cache"), has_control=False)]


def workers(port):
    both = web(port, 0).arguments
    return [
        *(web(port, number) for number in range(1, WEB_WORKERS + 1)),
        Part("queue", "queue", "queue_worker.py", arguments=both),
        Part("biller", "biller", "biller.py"),
    ]


def front(port):
    upstreams = [word for number in range(1, WEB_WORKERS + 1) for word in ("--upstream", settings.show(endpoint(port, "web", number)))]
    return Part("front", "front", "front.py", endpoint(port, "front"), upstreams, has_control=False)


def traffic(port, rate, seed):
    told = ["--front", settings.show(endpoint(port, "front")), "--rate", str(rate), "--seed", str(seed)]
    return Part("traffic", "traffic", "traffic.py", arguments=told)
