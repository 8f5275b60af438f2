"""Rotate the audit log correctly.

The lock is held only while the log is renamed; writers notice that and open the new file.
"""

import gzip
import os
import shutil

import audit_log
import process
import settings


def main():
    args = settings.parse_arguments(__doc__)
    process.initialize("shop-rotate")
    log = audit_log.path(args.folder)
    old = f"{log}.1"
    with audit_log.locked(log):
        os.replace(log, old)
    # The old file is complete: writers check under the lock that they have the current one.
    os.nice(19)
    with open(old, "rb") as plain, gzip.open(f"{old}.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    os.unlink(old)


if __name__ == "__main__":
    main()
