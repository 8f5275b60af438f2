"""The requests that a web worker serves: `/product`, `/search`, `/order`, `/bill` and `/health`."""

import json
import os
import time
from dataclasses import dataclass

ITEMS = 5000
# Beyond this, orders could not be packed in time.
MAX_QUEUED_ORDERS = 150
QUEUE = "orders"
CACHE_SECONDS = 5
INVOICE_BYTES = 20_000


@dataclass
class Response:
    status: int
    body: dict


def product(worker, query):
    item = int(query.get("item", 1))
    cached = worker.cache.get(f"item:{item}")
    if cached:
        return Response(200, json.loads(cached))
    with worker.database.transaction() as cursor:
        cursor.execute("SELECT name, cents, quantity FROM stock WHERE id = %s", (item,))
        row = cursor.fetchone()
    if row is None:
        return Response(404, {"error": f"no item {item}"})
    body = dict(zip(("name", "cents", "quantity"), row))
    worker.cache.set(f"item:{item}", json.dumps(body), ex=CACHE_SECONDS)
    return Response(200, body)


def search(worker, query):
    with worker.database.transaction() as cursor:
        cursor.execute(
            "SELECT id, name, cents FROM stock WHERE name LIKE %s ORDER BY cents LIMIT 20",
            (query.get("q", "") + "%",),
        )
        found = cursor.fetchall()
    return Response(200, {"found": found})


def order(worker, query):
    """Updates the stock, stores the order, queues it for packing, and appends to the audit log."""
    item = int(query.get("item", 1))
    if worker.cache.llen(QUEUE) >= MAX_QUEUED_ORDERS:
        return Response(503, {"error": "the packing queue is full"})
    with worker.database.transaction() as cursor:
        cursor.execute("SELECT cents, quantity FROM stock WHERE id = %s FOR UPDATE", (item,))
        cents, quantity = cursor.fetchone()
        # Restock an item that sells out, so that the shop never runs dry.
        left = quantity - 1 if quantity > 1 else 1000
        cursor.execute("UPDATE stock SET quantity = %s WHERE id = %s", (left, item))
        cursor.execute(
            "INSERT INTO orders (item, cents) VALUES (%s, %s) RETURNING id", (item, cents)
        )
        number = cursor.fetchone()[0]
        invoice = write_invoice(worker, number, item, cents)
    worker.cache.lpush(QUEUE, number)
    worker.audit_log.append(
        f"{time.time():.3f} {worker.name} order {number} item {item} cents {cents}"
    )
    os.unlink(invoice)
    return Response(200, {"order": number})


def write_invoice(worker, number, item, cents):
    path = os.path.join(worker.folder, "spool", f"{worker.name}-{number}.invoice")
    try:
        with open(path, "w") as invoice:
            text = f"order {number}\nitem {item}\ncents {cents}\n"
            invoice.write(text + "-" * INVOICE_BYTES + "\n")
    except OSError:
        if os.path.exists(path):
            os.unlink(path)
        raise
    return path


def bill(worker, query):
    """Bills an order, after waiting up to a second until it is packed."""
    number = int(query.get("order", 0))
    for _ in range(20):
        with worker.ledger.locked(number):
            entry = worker.ledger.read(number)
            if entry:
                worker.ledger.write(number, "billed", entry[1])
                return Response(200, {"order": number, "cents": entry[1]})
        time.sleep(0.05)
    return Response(503, {"error": f"order {number} is not packed"})


def health(worker, query):
    return Response(200, {"worker": worker.name, "release": worker.release})


ROUTES = {"/product": product, "/search": search, "/order": order, "/bill": bill, "/health": health}
