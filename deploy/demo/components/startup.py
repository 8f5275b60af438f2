"""Starting the shop: creates its folder and spool, and starts the supervisor."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import preflight
import shutdown
from shop_folder import MARKER, USER, ShopError, is_running, read_state

SPOOL_MB = 64
TIMEOUT_SECONDS = 40
SUBFOLDERS = ("log", "data", "control", "run", "cache", "spool", "releases")


def start_shop(folder, port, rate, seed, command, sources):
    """Starts the shop and returns a line that describes it."""
    state = read_state(folder)
    if state and is_running(state):
        address = f"http://{state['front']}"
        return (
            f"the shop is already running at {address} (supervisor {state['pid']}, folder {folder})"
        )
    # Processes that a killed supervisor left behind may still hold the ports.
    shutdown.stop_shop(folder)
    preflight.check(folder, port)
    prepare(folder, sources)
    # Open the log while root still owns the folder: its later owner could replace it by a link.
    with open(os.path.join(folder, "log", "supervisor.out.log"), "ab") as output:
        give_away(folder)
        supervisor = launch(folder, port, rate, seed, command, output)
    try:
        wait_until_ready(folder, supervisor)
    except BaseException:
        shutdown.stop_shop(folder)
        raise
    address = f"http://127.0.0.1:{port}"
    return f"the shop is running at {address} (supervisor {supervisor.pid}, folder {folder})"


def prepare(folder, sources):
    """Creates the folder with the first release in it."""
    os.mkdir(folder, 0o755)
    with open(os.path.join(folder, MARKER), "w") as marker:
        marker.write("This folder belongs to a shop: `shop stop` removes it.\n")
    for name in SUBFOLDERS:
        os.mkdir(os.path.join(folder, name))
    os.mkdir(os.path.join(folder, "database"), 0o700)
    release = os.path.join(folder, "releases", "1")
    os.mkdir(release)
    for source in sources:
        shutil.copyfile(source, os.path.join(release, os.path.basename(source)))
    os.symlink("releases/1", os.path.join(folder, "current"))
    if os.getuid() == 0:
        mount_spool(folder)


def give_away(folder):
    """Changes the owner of the folder to an unprivileged user, if root runs this."""
    if os.getuid() != 0:
        return
    owner = pwd.getpwnam(USER)
    # Bottom up: the owner of a folder could replace what is in it.
    for directory, _, files in os.walk(folder, topdown=False):
        for path in [*(os.path.join(directory, name) for name in files), directory]:
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def mount_spool(folder):
    """Gives the spool a small filesystem of its own: ext4 in a file, else tmpfs, else none."""
    spool, image = os.path.join(folder, "spool"), os.path.join(folder, "spool.img")
    options = "nosuid,nodev,noexec"
    with open(image, "wb") as file:
        file.truncate(SPOOL_MB << 20)
    make_ext4 = ["mkfs.ext4", "-q", "-F", "-m", "0", image]
    mount_ext4 = ["mount", "-o", f"loop,{options}", image, spool]
    is_mounted = succeeds(make_ext4) and succeeds(mount_ext4)
    # A mounted image needs no name, and without one no process can write to it directly.
    os.unlink(image)
    if is_mounted:
        os.rmdir(os.path.join(spool, "lost+found"))
    else:
        options = f"size={SPOOL_MB}m,{options}"
        succeeds(["mount", "-t", "tmpfs", "-o", options, "detective-shop-spool", spool])


def succeeds(command):
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def launch(folder, port, rate, seed, command, output):
    script = os.path.join(folder, "current", "supervisor.py")
    options = ["--folder", folder, "--port", str(port), "--rate", str(rate), "--seed", str(seed)]
    identity = {}
    if os.getuid() == 0:
        identity = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []}
    return subprocess.Popen(
        [sys.executable, script, *options, "--command", command],
        cwd=folder,
        env={"PATH": preflight.search_path(), "LANG": "C.UTF-8", "HOME": folder},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        **identity,
    )


def wait_until_ready(folder, supervisor):
    """Waits until the traffic generator runs and the shop answers a request."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            raise ShopError(
                f"the supervisor exited with {supervisor.returncode}: {last_log_lines(folder)}"
            )
        state = read_state(folder)
        if state and any(component["role"] == "traffic" for component in state["components"]):
            if answers(f"http://{state['front']}/search?q=item-01"):
                return
        time.sleep(0.1)
    raise ShopError(f"the shop does not answer after {TIMEOUT_SECONDS} s: {last_log_lines(folder)}")


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200 and "found" in json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def last_log_lines(folder):
    """Returns the last lines that the supervisor and the components logged."""
    lines = []
    for name in sorted(os.listdir(os.path.join(folder, "log"))):
        if name == "supervisor.log" or name.endswith(".out.log"):
            with open(os.path.join(folder, "log", name), errors="replace") as log:
                lines += [f"{name}: {line.strip()}" for line in log.readlines()[-3:]]
    return "\n  ".join(["", *lines]) if lines else "nothing was logged"
