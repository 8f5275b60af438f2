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
            with line.makefile() as answers:
                expect(answers, "begun", name)
                expect(answers, "ended", name)
        except OSError as error:
            raise Trouble(f"cannot order `{name}` at `{path}`: {error}", "shop status") from None


def expect(answers, wanted, name):
    answer = answers.readline().strip()
    if answer.startswith("error: "):
        raise Trouble(f"`{name}`: {answer.removeprefix('error: ')}")
    if answer != wanted:
        raise Trouble(f"`{name}` broke off", "shop status")
