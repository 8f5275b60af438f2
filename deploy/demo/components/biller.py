"""The biller: scans the ledger range by range, each under its lock, and closes billed orders."""

import itertools
import time

import control
import ledger
import log
import process
import settings

RANGE_ENTRIES = 64
PAUSE_SECONDS = 0.25


def close_billed(book, first):
    """Closes the billed orders of a range; returns their count and their sum in cents."""
    with book.locked(first, RANGE_ENTRIES):
        billed = [entry for entry in book.read_range(first, RANGE_ENTRIES) if entry[1] == "billed"]
        for number, _, cents in billed:
            book.write(number, "closed", cents)
    return len(billed), sum(cents for _, _, cents in billed)


def main():
    args = settings.parse_arguments(__doc__)
    process.initialize("shop-biller")
    book, own_log = ledger.Ledger(args.folder), log.Log(args.folder, args.name)
    control.serve(settings.control_path(args.folder, args.name), {})
    for first in itertools.cycle(range(0, ledger.ENTRIES, RANGE_ENTRIES)):
        count, cents = close_billed(book, first)
        if count:
            own_log.write(f"closed {count} orders, {cents} cents")
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
