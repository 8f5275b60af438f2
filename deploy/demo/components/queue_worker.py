"""The queue worker: packs orders, writes them to the ledger, and deletes old ones."""

import threading
import time
from contextlib import contextmanager

import clients
import control
import ledger
import log
import process
import settings
from routes import QUEUE

KEPT_ORDERS = 20_000
ORDERS_PER_CLEANUP = 200


class Packer:
    def __init__(self, args):
        self.log = log.Log(args.folder, args.name)
        self.database = clients.Database(args.database)
        # Longer than the timeout of `brpop`.
        self.cache = clients.cache(args.cache, timeout_seconds=5.0)
        self.ledger = ledger.Ledger(args.folder)
        self.packing_lock = threading.Lock()
        self.packed = 0

    def run(self):
        while True:
            try:
                self._pack_next()
            except Exception as error:
                self.log.write(f"{type(error).__name__}: {error}".strip())
                time.sleep(1)

    def _pack_next(self):
        popped = self.cache.brpop(QUEUE, timeout=1)
        if popped is None:
            return
        number = int(popped[1])
        with self.packing_lock, self.database.transaction() as cursor:
            cursor.execute(
                "UPDATE orders SET state = 'packed' WHERE id = %s RETURNING cents", (number,)
            )
            row = cursor.fetchone()
            if self.packed % ORDERS_PER_CLEANUP == 0:
                cursor.execute("DELETE FROM orders WHERE id < %s", (number - KEPT_ORDERS,))
        if row:
            with self.ledger.locked(number):
                self.ledger.write(number, "packed", row[0])
        self.packed += 1

    @contextmanager
    def hold_ledger_lock(self, command):
        """Holds the lock of the whole ledger, for which the biller and `/bill` requests wait."""
        with self.ledger.locked(0, ledger.ENTRIES):
            yield

    @contextmanager
    def stop_packing(self, command):
        """Packs nothing, so that the queue grows to its limit."""
        with self.packing_lock:
            yield


def main():
    args = settings.parse_arguments(__doc__)
    process.initialize("shop-queue")
    packer = Packer(args)
    commands = {"ledger": packer.hold_ledger_lock, "stuck": packer.stop_packing}
    control.serve(settings.control_path(args.folder, args.name), commands)
    packer.run()


if __name__ == "__main__":
    main()
