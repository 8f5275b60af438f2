"""What a web worker answers: `/product`, `/search`, `/order` and `/bill`."""

import json
import os
import time
from dataclasses import dataclass

ITEMS = 5000
# The warehouse takes no more orders than it can pack before they are late.
LONGEST_QUEUE = 150
QUEUE = "orders"
CACHED_SECONDS = 5
INVOICE_BYTES = 20_000


@dataclass
class Answer:
    status: int
    body: dict


def product(worker, query):
    item = int(query.get("item", 1))
    cached = worker.cache.get(f"item:{item}")
    if cached:
        return Answer(200, json.loads(cached))
    with worker.database.transaction() as cursor:
        cursor.execute("SELECT name, cents, quantity FROM stock WHERE id = %s", (item,))
        row = cursor.fetchone()
    if row is None:
        return Answer(404, {"error": f"no item {item}"})
    body = dict(zip(("name", "cents", "quantity"), row))
    worker.cache.set(f"item:{item}", json.dumps(body), ex=CACHED_SECONDS)
    return Answer(200, body)


def search(worker, query):
    with worker.database.transaction() as cursor:
        cursor.execute("SELECT id, name, cents FROM stock WHERE name LIKE %s ORDER BY cents LIMIT 20", (query.get("q", "") + "%",))
        found = cursor.fetchall()
    return Answer(200, {"found": found})


def order(worker, query):
    """Takes the item out of stock, writes the order, queues it for packing, and leaves a line in the audit log."""
    item = int(query.get("item", 1))
    if worker.cache.llen(QUEUE) >= LONGEST_QUEUE:
        return Answer(503, {"error": "too many orders wait to be packed"})
    with worker.database.transaction() as cursor:
        cursor.execute("SELECT cents, quantity FROM stock WHERE id = %s FOR UPDATE", (item,))
        cents, quantity = cursor.fetchone()
        # What is sold out is delivered anew, so that the shop never ends.
        left = quantity - 1 if quantity > 1 else 1000
        cursor.execute("UPDATE stock SET quantity = %s WHERE id = %s", (left, item))
        cursor.execute("INSERT INTO orders (item, cents) VALUES (%s, %s) RETURNING id", (item, cents))
        number = cursor.fetchone()[0]
        invoice = write_invoice(worker, number, item, cents)
    worker.cache.lpush(QUEUE, number)
    worker.audit.append(f"{time.time():.3f} {worker.name} order {number} item {item} cents {cents}")
    os.unlink(invoice)
    return Answer(200, {"order": number})


def write_invoice(worker, number, item, cents):
    path = os.path.join(worker.folder, "spool", f"{worker.name}-{number}.invoice")
    try:
        with open(path, "w") as invoice:
            invoice.write(f"order {number}\nitem {item}\ncents {cents}\n" + "-" * INVOICE_BYTES + "\n")
    except OSError:
        if os.path.exists(path):
            os.unlink(path)
        raise
    return path


def bill(worker, query):
    """Bills an order once it is packed, for which it waits a while."""
    number = int(query.get("order", 0))
    for _ in range(20):
        with worker.ledger.locked(number):
            entry = worker.ledger.read(number)
            if entry:
                worker.ledger.write(number, "billed", entry[1])
                return Answer(200, {"order": number, "cents": entry[1]})
        time.sleep(0.05)
    return Answer(503, {"error": f"order {number} is not packed"})


def health(worker, query):
    return Answer(200, {"worker": worker.name, "release": worker.release})


PAGES = {"/product": product, "/search": search, "/order": order, "/bill": bill, "/health": health}
