"""Starting the shop: sets up its folder and starts its supervisor."""

import json
import os
import time
import urllib.error
import urllib.request

import preflight
import shutdown
import workload_setup
from workload_folder import WorkloadError, is_running, read_state

TIMEOUT_SECONDS = 40
SUBFOLDERS = ("log", "data", "control", "run", "cache", "spool")


def start_shop(folder, port, rate, seed, command, sources):
    """Starts the shop and returns a line that describes it."""
    state = read_state(folder)
    if state and is_running(state):
        address = f"http://{state['front']}"
        return (
            f"the shop is already running at {address} (supervisor {state['pid']}, folder {folder})"
        )
    # Processes that a killed supervisor left behind may still hold the ports.
    shutdown.stop_workload(folder)
    preflight.check(folder, port)
    workload_setup.create_folder(folder, SUBFOLDERS, sources)
    os.mkdir(os.path.join(folder, "database"), 0o700)
    if os.getuid() == 0:
        workload_setup.mount_spool(folder)
    # Open the log while root still owns the folder: its later owner could replace it by a link.
    with open(os.path.join(folder, "log", "supervisor.out.log"), "ab") as output:
        workload_setup.give_away(folder)
        options = ["--port", str(port), "--rate", str(rate), "--seed", str(seed)]
        options += ["--command", command]
        supervisor = workload_setup.launch_supervisor(folder, options, output)
    try:
        wait_until_ready(folder, supervisor)
    except BaseException:
        shutdown.stop_workload(folder)
        raise
    address = f"http://127.0.0.1:{port}"
    return f"the shop is running at {address} (supervisor {supervisor.pid}, folder {folder})"


def wait_until_ready(folder, supervisor):
    """Waits until the traffic generator runs and the shop answers a request."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            log = workload_setup.last_log_lines(folder)
            raise WorkloadError(f"the supervisor exited with {supervisor.returncode}: {log}")
        state = read_state(folder)
        if state and any(component["role"] == "traffic" for component in state["components"]):
            if answers(f"http://{state['front']}/search?q=item-01"):
                return
        time.sleep(0.1)
    log = workload_setup.last_log_lines(folder)
    raise WorkloadError(f"the shop does not answer after {TIMEOUT_SECONDS} s: {log}")


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200 and "found" in json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return False
