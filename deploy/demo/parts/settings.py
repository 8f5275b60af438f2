"""What a part is told on its command line: its name, its folder, and where the others listen."""

import argparse
import os


def read(description):
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--name", required=True, help="what the part is called, as in `web-2`")
    parser.add_argument("--folder", required=True, help="the shop's folder")
    parser.add_argument("--listen", type=endpoint, help="ADDRESS:PORT to listen on")
    parser.add_argument("--database", type=endpoint, help="HOST:PORT of PostgreSQL")
    parser.add_argument("--cache", type=endpoint, help="HOST:PORT of Redis")
    parser.add_argument("--front", type=endpoint, help="HOST:PORT of nginx")
    parser.add_argument("--upstream", type=endpoint, action="append", default=[], help="HOST:PORT of a web worker; may be repeated")
    parser.add_argument("--rate", type=float, default=30.0, help="requests a second (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals and what they ask for (default: 1)")
    return parser.parse_args()


def endpoint(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"`{text}` is not HOST:PORT")
    return host, int(port)


def show(address):
    return f"{address[0]}:{address[1]}"


def control_path(folder, name):
    return os.path.join(folder, "control", f"{name}.sock")


def crash_path(folder, name):
    """The file that stands while the worker is under orders to crash; it holds the deadline."""
    return os.path.join(folder, "control", f"{name}.crash")
