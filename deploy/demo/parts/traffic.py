"""The traffic: an open loop of requests at random moments, and how long each took from when it was due.

A closed loop would send less when the shop is slow, and so hide that it is.
"""

import asyncio
import collections
import json
import os
import random
import time
from contextlib import contextmanager

import control
import process
import settings
from pages import ITEMS

TIMEOUT_SECONDS = 3.0
MOST_AT_ONCE = 400
MOST_BYTES = 64 << 20
MOST_FACTOR = 5
PATHS = {"/product": 45, "/order": 25, "/search": 20, "/bill": 10}


class Traffic:
    def __init__(self, told):
        self.front, self.rate = told.front, told.rate
        self.random = random.Random(told.seed)
        self.factor = 1.0
        self.running = set()
        # Orders that went well, and when: they are billed a second later.
        self.to_bill = collections.deque(maxlen=100)
        self.latencies = open(os.path.join(told.folder, "log", "latencies.jsonl"), "a", buffering=1)

    async def run(self):
        due = time.time()
        while True:
            due += self.random.expovariate(self.rate * self.factor)
            late = time.time() - due
            if late > TIMEOUT_SECONDS:
                # This process itself was held up: what was due then is not the shop's.
                due = time.time()
            await asyncio.sleep(max(0.0, -late))
            path, target = self._choose()
            request = asyncio.create_task(self._request(due, path, target))
            self.running.add(request)
            request.add_done_callback(self.running.discard)

    def _choose(self):
        path = self.random.choices(list(PATHS), list(PATHS.values()))[0]
        # Few items are asked for often: the first in every fifth request.
        item = int(ITEMS ** (self.random.random() ** 1.5))
        if path == "/bill":
            number = self._order_to_bill()
            return (path, f"/bill?order={number}") if number else ("/product", f"/product?item={item}")
        return path, f"/search?q=item-{item % 100:02}" if path == "/search" else f"{path}?item={item}"

    def _order_to_bill(self):
        """The newest order that is a second old; None if there is none."""
        number, ripe = None, time.time() - 1
        while self.to_bill and self.to_bill[0][1] < ripe:
            number, _ = self.to_bill.popleft()
        return number

    async def _request(self, due, path, target):
        status = 0
        if len(self.running) <= MOST_AT_ONCE:
            try:
                left = due + TIMEOUT_SECONDS - time.time()
                status, body = await asyncio.wait_for(self._fetch(path, target), left)
                if path == "/order" and status == 200:
                    self.to_bill.append((body["order"], time.time()))
            except (OSError, asyncio.TimeoutError, ValueError, IndexError, KeyError):
                status = 0
        line = {"t": round(due, 3), "ms": round((time.time() - due) * 1000, 1), "path": path, "status": status}
        if self.latencies.tell() < MOST_BYTES:
            self.latencies.write(json.dumps(line) + "\n")

    async def _fetch(self, path, target):
        method = "POST" if path in ("/order", "/bill") else "GET"
        reader, writer = await asyncio.open_connection(*self.front)
        try:
            head = f"{method} {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            writer.write(head.encode())
            reply = await reader.read()
        finally:
            writer.close()
        head, _, body = reply.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        return status, json.loads(body) if status == 200 else {}

    @contextmanager
    def load(self, order, factor):
        """More requests, or fewer."""
        if not 0.1 <= factor <= MOST_FACTOR:
            raise control.Refused(f"expected a factor from 0.1 to {MOST_FACTOR}, found {factor:g}")
        self.factor = factor
        try:
            yield
        finally:
            self.factor = 1.0


def main():
    told = settings.read(__doc__)
    process.begin("shop-traffic")
    traffic = Traffic(told)
    control.serve(settings.control_path(told.folder, told.name), {"load": traffic.load})
    asyncio.run(traffic.run())


if __name__ == "__main__":
    main()
