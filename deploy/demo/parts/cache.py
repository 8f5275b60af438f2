"""Redis, as the shop runs it: in memory, bounded, nothing on disk."""

import os

import settings


def main():
    told = settings.read(__doc__)
    host, port = told.listen
    os.execvp(
        "redis-server",
        ["redis-server", "--bind", host, "--port", str(port), "--save", "", "--appendonly", "no", "--maxmemory", "32mb", "--maxclients", "200"]
        # It has no password: who reaches it may use it, and not set where it writes.
        + ["--protected-mode", "no", "--rename-command", "CONFIG", "", "--dir", os.path.join(told.folder, "cache"), "--loglevel", "warning"],
    )


if __name__ == "__main__":
    main()
