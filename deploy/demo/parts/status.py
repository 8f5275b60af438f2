"""What `shop status` prints: the parts, and how the last minute went."""

import json
import os
import time

MINUTE = 60
# More than the lines of a minute at twice the usual load.
TAIL_BYTES = 1 << 20


def describe(state):
    lines = [f"http://{state['front']}  folder {state['folder']}  release {release(state['folder'])}", ""]
    lines.append(f"{'part':<12}{'pid':>8}  {'state':<6}{'memory':>8}{'cpu':>10}  endpoint")
    for part in state["parts"]:
        lines.append(describe_part(part))
    return "\n".join([*lines, "", describe_minute(state["latencies"])])


def describe_part(part):
    try:
        with open(f"/proc/{part['pid']}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return f"{part['name']:<12}{part['pid']:>8}  gone"
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") >> 20
    return f"{part['name']:<12}{part['pid']:>8}  {fields[0]:<6}{memory:>5} MB{seconds:>8.1f} s  {part['endpoint'] or ''}"


def describe_minute(path):
    requests = latest(path, time.time() - MINUTE)
    if not requests:
        return "no request in the last minute"
    times = sorted(request["ms"] for request in requests)
    failed = sum(request["status"] != 200 for request in requests)
    return (
        f"last minute: {len(requests)} requests, {failed} failed, "
        f"p50 {quantile(times, 0.5):.1f} ms, p95 {quantile(times, 0.95):.1f} ms, p99 {quantile(times, 0.99):.1f} ms"
    )


def latest(path, since):
    """The requests that were due since then."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
        lines = file.read().splitlines()
    requests = []
    for line in lines:
        try:
            requests.append(json.loads(line))
        except ValueError:
            # The first line can be the end of one, and the last the beginning.
            continue
    return [request for request in requests if request["t"] >= since]


def quantile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def release(folder):
    return os.path.basename(os.path.realpath(os.path.join(folder, "current")))
