"""The client of a component's control socket."""

import socket

from workload_folder import WorkloadError


def run_command(path, name, arguments, seconds):
    """Sends a command and returns when it has ended.

    The command also ends when this process exits.
    """
    numbers = [f"{each:g}" if isinstance(each, float) else str(each) for each in arguments]
    line = " ".join([name, *numbers, f"{seconds:g}"])
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            connection.sendall(f"{line}\n".encode())
            with connection.makefile() as answers:
                expect(answers, "begun", name)
                expect(answers, "ended", name)
        except OSError as error:
            raise WorkloadError(f"cannot send `{name}` to `{path}`: {error}", "see the status of the workload") from None


def expect(answers, expected, name):
    answer = answers.readline().strip()
    if answer.startswith("error: "):
        raise WorkloadError(f"`{name}`: {answer.removeprefix('error: ')}")
    if answer != expected:
        raise WorkloadError(f"`{name}`: the connection was closed before `{expected}`", "see the status of the workload")
