"""The output of `shop status`: the components, and the requests of the last minute."""

import json
import os
import time

MINUTE = 60
# More than a minute of log lines at twice the usual load.
TAIL_BYTES = 1 << 20


def describe(state):
    address, folder = f"http://{state['front']}", state["folder"]
    lines = [f"{address}  folder {folder}  release {release(folder)}", ""]
    lines.append(f"{'component':<12}{'pid':>8}  {'state':<6}{'memory':>8}{'cpu':>10}  endpoint")
    for component in state["components"]:
        lines.append(describe_component(component))
    return "\n".join([*lines, "", describe_minute(state["latencies"])])


def describe_component(component):
    name, pid = component["name"], component["pid"]
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return f"{name:<12}{pid:>8}  gone"
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") >> 20
    endpoint = component["endpoint"] or ""
    return f"{name:<12}{pid:>8}  {fields[0]:<6}{memory:>5} MB{seconds:>8.1f} s  {endpoint}"


def describe_minute(path):
    requests = requests_since(path, time.time() - MINUTE)
    if not requests:
        return "no requests in the last minute"
    times = sorted(request["ms"] for request in requests)
    failed = sum(request["status"] != 200 for request in requests)
    quantiles = ", ".join(
        f"p{share} {quantile(times, share / 100):.1f} ms" for share in (50, 95, 99)
    )
    return f"last minute: {len(requests)} requests, {failed} failed, {quantiles}"


def requests_since(path, since):
    """Returns the logged requests that were due since then."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
        lines = file.read().splitlines()
    requests = []
    for line in lines:
        try:
            requests.append(json.loads(line))
        except ValueError:
            # The first and the last line can be incomplete.
            continue
    return [request for request in requests if request["t"] >= since]


def quantile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def release(folder):
    return os.path.basename(os.path.realpath(os.path.join(folder, "current")))
