"""A harmless daemon: asks the web workers once a second whether they are well, and serves how many are."""

import http.server
import threading
import time
import urllib.request

import process
import settings


class Page(http.server.BaseHTTPRequestHandler):
    well = 0

    def do_GET(self):
        body = f"shop_workers_well {Page.well}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """Nobody reads it."""


def is_well(address):
    try:
        with urllib.request.urlopen(f"http://{settings.show(address)}/health", timeout=1) as reply:
            return reply.status == 200
    except OSError:
        return False


def main():
    told = settings.read(__doc__)
    process.begin("shop-metrics")
    server = http.server.HTTPServer(told.listen, Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        Page.well = sum(is_well(each) for each in told.upstream)
        time.sleep(1)


if __name__ == "__main__":
    main()
