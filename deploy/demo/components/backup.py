"""Back up the database at low priority, replacing the previous backup."""

import os
import subprocess
import sys

import database
import process
import settings


def path(folder):
    return os.path.join(folder, "data", "backup.sql.gz")


def main():
    args = settings.parse_arguments(__doc__)
    process.initialize("shop-backup")
    os.nice(19)
    host, port = args.database
    pg_dump = os.path.join(database.programs(), "pg_dump")
    command = [pg_dump, "-h", host, "-p", str(port), "-U", "shop", "shop"]
    target = path(args.folder)
    with open(f"{target}.new", "wb") as file:
        dump = subprocess.Popen(["ionice", "-c", "3", *command], stdout=subprocess.PIPE)
        subprocess.run(["gzip", "-9"], stdin=dump.stdout, stdout=file, check=True)
    if dump.wait() != 0:
        sys.exit(f"`{' '.join(command)}` exited with {dump.returncode}")
    os.replace(f"{target}.new", target)


if __name__ == "__main__":
    main()
