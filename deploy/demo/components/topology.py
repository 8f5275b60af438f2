"""The components of the shop, in the order they are started."""

import os
import signal
import sys
from dataclasses import dataclass, field

import settings

WEB_WORKERS = 3
# Web workers that a scale-out adds use the following ports.
MAX_WEB_WORKERS = 8
PORTS = {"front": 0, "web": 10, "database": 32, "cache": 79, "metrics": 90}


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
        """Returns the component's entry in `shop.json`."""
        return {
            "name": self.name,
            "role": self.role,
            "pid": self.process.pid,
            "endpoint": settings.format_address(self.listen) if self.listen else None,
            "control": settings.control_path(folder, self.name) if self.has_control else None,
        }


def endpoint(port, role, number=0):
    return "127.0.0.1", port + PORTS[role] + number


def address(port, role, number=0):
    return settings.format_address(endpoint(port, role, number))


def web(port, number):
    arguments = ["--database", address(port, "database"), "--cache", address(port, "cache")]
    return Component(f"web-{number}", "web", "web.py", endpoint(port, "web", number), arguments)


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
    addresses = [address(port, "web", number) for number in range(1, WEB_WORKERS + 1)]
    upstreams = [word for each in addresses for word in ("--upstream", each)]
    return Component(
        "front", "front", "front.py", endpoint(port, "front"), upstreams, has_control=False
    )


def traffic(port, rate, seed):
    arguments = ["--front", address(port, "front"), "--rate", str(rate), "--seed", str(seed)]
    return Component("traffic", "traffic", "traffic.py", arguments=arguments)
