"""Redis as the shop runs it: in memory, bounded, nothing on disk."""

import os

import settings

# Redis has no password here. These commands could reconfigure, stop, empty or save it, or connect
# it to other hosts. The shop needs none of them.
DISABLED_COMMANDS = (
    "CONFIG",
    "REPLICAOF",
    "SLAVEOF",
    "SHUTDOWN",
    "FLUSHALL",
    "FLUSHDB",
    "MODULE",
    "DEBUG",
    "SAVE",
    "BGSAVE",
    "MIGRATE",
)


def main():
    args = settings.parse_arguments(__doc__)
    host, port = args.listen
    os.execvp(
        "redis-server",
        ["redis-server", "--bind", host, "--port", str(port), "--save", "", "--appendonly", "no"]
        + ["--maxmemory", "32mb", "--maxclients", "200"]
        + [word for name in DISABLED_COMMANDS for word in ("--rename-command", name, "")]
        + [
            "--protected-mode",
            "no",
            "--dir",
            os.path.join(args.folder, "cache"),
            "--loglevel",
            "warning",
        ],
    )


if __name__ == "__main__":
    main()
