"""The biller: goes through the ledger, a range at a time under its lock, and closes what was billed."""

import itertools
import time

import control
import ledger
import log
import process
import settings

RANGE = 64
PAUSE_SECONDS = 0.25


def close_billed(book, first):
    """Closes the billed orders of a range; returns how many and their sum in cents."""
    with book.locked(first, RANGE):
        billed = [entry for entry in book.read_range(first, RANGE) if entry[1] == "billed"]
        for number, _, cents in billed:
            book.write(number, "closed", cents)
    return len(billed), sum(cents for _, _, cents in billed)


def main():
    told = settings.read(__doc__)
    process.begin("shop-biller")
    book, own_log = ledger.Ledger(told.folder), log.Log(told.folder, told.name)
    control.serve(settings.control_path(told.folder, told.name), {})
    for first in itertools.cycle(range(0, ledger.ENTRIES, RANGE)):
        count, cents = close_billed(book, first)
        if count:
            own_log.write(f"closed {count} orders, {cents} cents")
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
