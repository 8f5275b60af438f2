"""Starting the warehouse: sets up its folder and starts its supervisor."""

import os
import time

import shutdown
import topology
import workload_checks
import workload_setup
from workload_folder import WorkloadError, is_running, read_state

TIMEOUT_SECONDS = 20
SUBFOLDERS = ("log", "data", "control", "run", "spool")


def start_warehouse(folder, port, sources):
    """Starts the warehouse and returns a line that describes it."""
    state = read_state(folder)
    if state and is_running(state):
        return f"the warehouse is already running (supervisor {state['pid']}, folder {folder})"
    # Processes that a killed supervisor left behind may still hold the ports.
    shutdown.stop_workload(folder)
    workload_checks.check_folder(folder)
    workload_checks.check_network(topology.used_ports(port))
    workload_setup.create_folder(folder, SUBFOLDERS, sources)
    if os.getuid() == 0:
        workload_setup.mount_tmpfs(os.path.join(folder, "spool"))
    # Open the log while root still owns the folder: its later owner could replace it by a link.
    with open(os.path.join(folder, "log", "supervisor.out.log"), "ab") as output:
        workload_setup.give_away(folder)
        supervisor = workload_setup.launch_supervisor(folder, ["--port", str(port)], output)
    try:
        wait_until_ready(folder, supervisor)
    except BaseException:
        shutdown.stop_workload(folder)
        raise
    return f"the warehouse is running (supervisor {supervisor.pid}, folder {folder})"


def wait_until_ready(folder, supervisor):
    """Waits until the client has received responses."""
    latencies = os.path.join(folder, "log", "latencies.jsonl")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            log = workload_setup.last_log_lines(folder)
            raise WorkloadError(f"the supervisor exited with {supervisor.returncode}: {log}")
        if os.path.exists(latencies) and os.path.getsize(latencies) > 0:
            return
        time.sleep(0.1)
    log = workload_setup.last_log_lines(folder)
    raise WorkloadError(f"the warehouse does not answer after {TIMEOUT_SECONDS} s: {log}")
