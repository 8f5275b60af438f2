"""The supervisor: runs the components, restarts those that exit, and writes the state file."""

import argparse
import os
import resource
import signal
import subprocess
import sys
import time

import process
import topology
import workload_folder

RESTART_DELAY_SECONDS = 1.0
STOP_TIMEOUT_SECONDS = 3.0
MAX_OPEN_FILES = 512
FILES = {"log/orders.log": b"", "data/ledger.dat": b" " * 64, "data/archive.dat": b""}


class Warehouse:
    """The running components."""

    def __init__(self, folder, port):
        self.folder = folder
        self.components = topology.components(port)
        self.log_file = open(os.path.join(folder, "log", "supervisor.log"), "a", buffering=1)

    def log(self, text):
        self.log_file.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    def start_all(self):
        for name, content in FILES.items():
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(content)
        for component in self.components:
            self.start(component)

    # A child dies with the thread that started it, so this thread starts all of them.
    def start(self, component):
        parent = os.getpid()
        output = open(os.path.join(self.folder, "log", f"{component.name}.out.log"), "ab")

        def prepare():
            process.set_parent_death_signal(parent, signal.SIGKILL)
            resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))

        stdin, stdout = subprocess.DEVNULL, output
        if component.input:
            stdin = self.find(component.input).process.stdout
        if any(each.input == component.name for each in self.components):
            stdout = subprocess.PIPE
        with output:
            component.process = subprocess.Popen(
                component.command(self.folder),
                cwd=self.folder,
                stdin=stdin,
                stdout=stdout,
                stderr=output,
                start_new_session=True,
                preexec_fn=prepare,
            )
        if component.input:
            # Only the consumer keeps the pipe open for reading.
            stdin.close()
        self.log(f"started {component.name}, pid {component.process.pid}")
        self.write_state()

    def find(self, name):
        return next(component for component in self.components if component.name == name)

    def restart_exited(self):
        """Restarts a component that has exited, and both ends of its pipe."""
        exited = [each for each in self.components if each.process.poll() is not None]
        for component in exited:
            self.log(f"{component.name} exited with {component.process.returncode}")
        if not exited:
            return
        names = {each.name for each in exited} | {each.input for each in exited}
        linked = [each for each in self.components if each.name in names or each.input in names]
        self.write_state()
        time.sleep(RESTART_DELAY_SECONDS)
        for component in linked:
            stop(component)
        for component in linked:
            self.start(component)

    def write_state(self):
        """Writes the state file, which lists the running components."""
        running = [each for each in self.components if each.process and each.process.poll() is None]
        supervisor = {
            "name": "supervisor",
            "role": "supervisor",
            "pid": os.getpid(),
            "endpoint": None,
            "control": None,
            "commands": [],
            "clients": [],
        }
        state = {
            "folder": self.folder,
            "pid": os.getpid(),
            "front": f"127.0.0.1:{self.components[1].port}",
            "components": [*(each.describe(self.folder) for each in running), supervisor],
            "latencies": os.path.join(self.folder, "log", "latencies.jsonl"),
        } | topology.describe_resources(self.folder)
        workload_folder.write_state(state)

    def stop_all(self):
        for component in reversed(self.components):
            stop(component)


def stop(component):
    """Stops a component, by SIGKILL if necessary."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if component.process is None or component.process.poll() is not None:
            return
        component.process.send_signal(number)
        # A stopped process does not handle SIGTERM until it continues.
        component.process.send_signal(signal.SIGCONT)
        try:
            component.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    process.initialize("supervisor")
    warehouse = Warehouse(args.folder, args.port)
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    warehouse.start_all()
    while signal.sigwait(signals) == signal.SIGCHLD:
        warehouse.restart_exited()
    warehouse.stop_all()


if __name__ == "__main__":
    sys.exit(main())
