"""A harmless daemon: serves the number of healthy web workers, checked once a second."""

import http.server
import threading
import time
import urllib.request

import process
import settings


class MetricsHandler(http.server.BaseHTTPRequestHandler):
    healthy_workers = 0

    def do_GET(self):
        body = f"shop_workers_healthy {MetricsHandler.healthy_workers}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """Logs nothing."""


def is_healthy(address):
    try:
        url = f"http://{settings.format_address(address)}/health"
        with urllib.request.urlopen(url, timeout=1) as response:
            return response.status == 200
    except OSError:
        return False


def main():
    args = settings.parse_arguments(__doc__)
    process.initialize("shop-metrics")
    server = http.server.HTTPServer(args.listen, MetricsHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        MetricsHandler.healthy_workers = sum(is_healthy(each) for each in args.upstream)
        time.sleep(1)


if __name__ == "__main__":
    main()
