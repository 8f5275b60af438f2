"""The traffic generator: an open loop of requests at random times, with the latency of each.

A latency counts from the time the request was due. A closed loop would send fewer requests when
the shop is slow, and so hide that it is (coordinated omission).
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
from routes import ITEMS

TIMEOUT_SECONDS = 3.0
MAX_IN_FLIGHT = 400
MAX_LOG_BYTES = 64 << 20
MAX_FACTOR = 5
PATH_WEIGHTS = {"/product": 45, "/order": 25, "/search": 20, "/bill": 10}


class Traffic:
    def __init__(self, args):
        self.front, self.rate = args.front, args.rate
        self.random = random.Random(args.seed)
        self.factor = 1.0
        self.in_flight = set()
        # Successful orders and when they completed: they are billed a second later.
        self.to_bill = collections.deque(maxlen=100)
        self.latencies = open(os.path.join(args.folder, "log", "latencies.jsonl"), "a", buffering=1)

    async def run(self):
        due = time.time()
        while True:
            due += self.random.expovariate(self.rate * self.factor)
            late = time.time() - due
            if late > TIMEOUT_SECONDS:
                # This process itself was delayed: the shop is not at fault.
                due = time.time()
            await asyncio.sleep(max(0.0, -late))
            path, target = self._choose()
            request = asyncio.create_task(self._request(due, path, target))
            self.in_flight.add(request)
            request.add_done_callback(self.in_flight.discard)

    def _choose(self):
        path = self.random.choices(list(PATH_WEIGHTS), list(PATH_WEIGHTS.values()))[0]
        # Few items are popular: every fifth request is for the first one.
        item = int(ITEMS ** (self.random.random() ** 1.5))
        if path == "/bill":
            number = self._order_to_bill()
            return (
                (path, f"/bill?order={number}") if number else ("/product", f"/product?item={item}")
            )
        return (
            path,
            f"/search?q=item-{item % 100:02}" if path == "/search" else f"{path}?item={item}",
        )

    def _order_to_bill(self):
        """Returns the newest order that is at least a second old, or None."""
        number, latest = None, time.time() - 1
        while self.to_bill and self.to_bill[0][1] < latest:
            number, _ = self.to_bill.popleft()
        return number

    async def _request(self, due, path, target):
        status = 0
        if len(self.in_flight) <= MAX_IN_FLIGHT:
            try:
                left = due + TIMEOUT_SECONDS - time.time()
                status, body = await asyncio.wait_for(self._fetch(path, target), left)
                if path == "/order" and status == 200:
                    self.to_bill.append((body["order"], time.time()))
            except (OSError, asyncio.TimeoutError, ValueError, IndexError, KeyError):
                status = 0
        latency_ms = (time.time() - due) * 1000
        line = {"t": round(due, 3), "ms": round(latency_ms, 1), "path": path, "status": status}
        if self.latencies.tell() < MAX_LOG_BYTES:
            self.latencies.write(json.dumps(line) + "\n")

    async def _fetch(self, path, target):
        method = "POST" if path in ("/order", "/bill") else "GET"
        reader, writer = await asyncio.open_connection(*self.front)
        try:
            headers = "Host: shop\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            writer.write(f"{method} {target} HTTP/1.1\r\n{headers}".encode())
            response = await reader.read()
        finally:
            writer.close()
        head, _, body = response.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        return status, json.loads(body) if status == 200 else {}

    @contextmanager
    def load(self, command, factor):
        """Multiplies the rate of requests."""
        if not 0.1 <= factor <= MAX_FACTOR:
            raise control.CommandError(
                f"expected a factor from 0.1 to {MAX_FACTOR}, found {factor:g}"
            )
        self.factor = factor
        try:
            yield
        finally:
            self.factor = 1.0


def main():
    args = settings.parse_arguments(__doc__)
    process.initialize("shop-traffic")
    traffic = Traffic(args)
    control.serve(settings.control_path(args.folder, args.name), {"load": traffic.load})
    asyncio.run(traffic.run())


if __name__ == "__main__":
    main()
