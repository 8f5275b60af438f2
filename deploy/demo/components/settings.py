"""The command line of a component, and the paths that all components agree on."""

import argparse
import os


def parse_arguments(description):
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--name", required=True, help="name of the component, such as `web-2`")
    parser.add_argument("--folder", required=True, help="the shop's folder")
    parser.add_argument("--listen", type=parse_address, help="ADDRESS:PORT to listen on")
    parser.add_argument("--database", type=parse_address, help="HOST:PORT of PostgreSQL")
    parser.add_argument("--cache", type=parse_address, help="HOST:PORT of Redis")
    parser.add_argument("--front", type=parse_address, help="HOST:PORT of nginx")
    parser.add_argument(
        "--upstream",
        type=parse_address,
        action="append",
        default=[],
        help="HOST:PORT of a web worker; may be repeated",
    )
    parser.add_argument(
        "--rate", type=float, default=30.0, help="requests per second (default: 30)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of requests and their times (default: 1)"
    )
    return parser.parse_args()


def parse_address(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, found `{text}`")
    return host, int(port)


def format_address(address):
    return f"{address[0]}:{address[1]}"


def control_path(folder, name):
    return os.path.join(folder, "control", f"{name}.sock")


def crash_path(folder, name):
    """Returns the path of the file that holds the deadline of the bug `crash`."""
    return os.path.join(folder, "control", f"{name}.crash")
