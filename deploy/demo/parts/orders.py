"""Ordering a change from a part, and staying on the line until it is over."""

import socket

from folder import Trouble


def order(path, name, arguments, seconds):
    """Returns when the change is over. Whoever ends this process ends the change too."""
    words = [name, *(f"{each:g}" if isinstance(each, float) else str(each) for each in arguments), f"{seconds:g}"]
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(path)
            line.sendall((" ".join(words) + "\n").encode())
            expect(line, "begun", name)
            expect(line, "ended", name)
        except OSError as error:
            raise Trouble(f"cannot order `{name}` at `{path}`: {error}", "shop status") from None


def expect(line, wanted, name):
    answer = b""
    while not answer.endswith(b"\n"):
        more = line.recv(200)
        if not more:
            raise Trouble(f"`{name}` broke off")
        answer += more
        # Both answers can come at once, when the change is short.
        if answer.startswith(b"begun\nended\n"):
            return
    first = answer.decode().splitlines()[0]
    if first.startswith("error: "):
        raise Trouble(f"`{name}`: {first.removeprefix('error: ')}")
