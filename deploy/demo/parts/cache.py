"""Redis, as the shop runs it: in memory, bounded, nothing on disk."""

import os

import settings

# It has no password: who reaches it may use it, and not configure it, end it, empty it at one stroke, have it save, or have it talk
# to others. The shop needs none of these.
FORBIDDEN = (
    "CONFIG", "REPLICAOF", "SLAVEOF", "SHUTDOWN", "FLUSHALL", "FLUSHDB", "MODULE", "DEBUG", "SAVE", "BGSAVE", "MIGRATE",
)


def main():
    told = settings.read(__doc__)
    host, port = told.listen
    os.execvp(
        "redis-server",
        ["redis-server", "--bind", host, "--port", str(port), "--save", "", "--appendonly", "no", "--maxmemory", "32mb", "--maxclients", "200"]
        + [word for name in FORBIDDEN for word in ("--rename-command", name, "")]
        + ["--protected-mode", "no", "--dir", os.path.join(told.folder, "cache"), "--loglevel", "warning"],
    )


if __name__ == "__main__":
    main()
