"""A backup of the database at low priority; the one before is replaced."""

import os
import subprocess
import sys

import database
import process
import settings


def path(folder):
    return os.path.join(folder, "data", "backup.sql.gz")


def main():
    told = settings.read(__doc__)
    process.begin("shop-backup")
    os.nice(19)
    host, port = told.database
    dump = [os.path.join(database.programs(), "pg_dump"), "-h", host, "-p", str(port), "-U", "shop", "shop"]
    target = path(told.folder)
    with open(f"{target}.new", "wb") as file:
        dumping = subprocess.Popen(["ionice", "-c", "3", *dump], stdout=subprocess.PIPE)
        subprocess.run(["gzip", "-9"], stdin=dumping.stdout, stdout=file, check=True)
    if dumping.wait() != 0:
        sys.exit(f"`{' '.join(dump)}` ended with {dumping.returncode}")
    os.replace(f"{target}.new", target)


if __name__ == "__main__":
    main()
