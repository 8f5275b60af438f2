"""Log rotation done right: the audit log's lock is held for a rename and no longer, and writers open the new file by themselves."""

import gzip
import os
import shutil

import audit
import process
import settings


def main():
    told = settings.read(__doc__)
    process.begin("shop-rotate")
    log = audit.path(told.folder)
    old = f"{log}.1"
    with audit.held(log):
        os.replace(log, old)
    # Somebody may still write to the old file, but only what they had the lock for, which has been given up.
    os.nice(19)
    with open(old, "rb") as plain, gzip.open(f"{old}.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    os.unlink(old)


if __name__ == "__main__":
    main()
