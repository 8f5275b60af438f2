"""The queue worker: packs what was ordered, writes it to the ledger, and forgets old orders."""

import threading
import time
from contextlib import contextmanager

import control
import ledger
import log
import process
import settings
import stores
from pages import QUEUE

KEPT_ORDERS = 20_000
FORGET_EVERY = 200


class Packer:
    def __init__(self, told):
        self.log = log.Log(told.folder, told.name)
        self.database = stores.Database(told.database)
        # Longer than it waits for an order.
        self.cache = stores.cache(told.cache, patience=5.0)
        self.ledger = ledger.Ledger(told.folder)
        self.turn = threading.Lock()
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
        with self.turn, self.database.transaction() as cursor:
            cursor.execute("UPDATE orders SET state = 'packed' WHERE id = %s RETURNING cents", (number,))
            row = cursor.fetchone()
            if self.packed % FORGET_EVERY == 0:
                cursor.execute("DELETE FROM orders WHERE id < %s", (number - KEPT_ORDERS,))
        if row:
            with self.ledger.locked(number):
                self.ledger.write(number, "packed", row[0])
        self.packed += 1

    @contextmanager
    def keep_ledger(self, order):
        """The lock of the whole ledger is kept; the biller and who bills wait for it."""
        with self.ledger.locked(0, ledger.ENTRIES):
            yield

    @contextmanager
    def stuck(self, order):
        """Nothing is packed, and the queue grows to what the shop takes."""
        with self.turn:
            yield


def main():
    told = settings.read(__doc__)
    process.begin("shop-queue")
    packer = Packer(told)
    control.serve(settings.control_path(told.folder, told.name), {"ledger": packer.keep_ledger, "stuck": packer.stuck})
    packer.run()


if __name__ == "__main__":
    main()
