"""Opening the shop: its folder, its spool, its supervisor; done when it answers."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import closing
import database
import roster
from folder import MARKER, Trouble, is_running, read_state

# A unix socket's address has at most 107 bytes, of which the longest of the shop takes these.
LONGEST_SOCKET = len("/control/supervisor.sock")
SPOOL_MB = 64
LEAST_FREE_MB = 400
PATIENCE_SECONDS = 40
PACKAGES = {"nginx": "nginx-light", "redis-server": "redis-server", "nice": "coreutils", "ionice": "util-linux", "gzip": "gzip"}
MODULES = {"psycopg2": "python3-psycopg2", "redis": "python3-redis"}
OWNED = ("log", "data", "control", "run", "cache", "spool", "releases")


def open_shop(folder, port, rate, seed, command, sources):
    """Returns what there is to say about the shop that is open."""
    state = read_state(folder)
    if state and is_running(state):
        return f"the shop is open already: http://{state['front']} (supervisor {state['pid']}, folder {folder})"
    check(folder, port)
    if os.path.exists(folder):
        closing.close_shop(folder)
    prepare(folder, sources)
    supervisor = launch(folder, port, rate, seed, command)
    try:
        wait_until_it_answers(folder, supervisor)
    except BaseException:
        keep_log(folder)
        closing.close_shop(folder)
        raise
    return f"the shop is open: http://127.0.0.1:{port} (supervisor {supervisor.pid}, folder {folder})"


def check(folder, port):
    """Finds what would keep the shop from opening, before anything is made."""
    missing = {package for program, package in PACKAGES.items() if not shutil.which(program, path=search_path())}
    missing |= {package for module, package in MODULES.items() if not can_import(module)}
    if not database.programs():
        missing.add("postgresql")
    if missing:
        raise Trouble(f"Debian packages are missing: {', '.join(sorted(missing))}", f"apt-get install --no-install-recommends {' '.join(sorted(missing))}")
    if len(folder) + LONGEST_SOCKET > 107:
        raise Trouble(f"`{folder}` is too long for the unix sockets in it: at most {107 - LONGEST_SOCKET} bytes, found {len(folder)}")
    if not can_reach_loopback():
        raise Trouble("the loopback interface is down", "ip link set lo up")
    taken = [number for number in used_ports(port) if not is_free(number)]
    if taken:
        raise Trouble(f"port {taken[0]} of 127.0.0.1 is taken", "choose a block of a hundred free ports: --port 9400")
    free = shutil.disk_usage(os.path.dirname(folder)).free >> 20
    if free < LEAST_FREE_MB:
        raise Trouble(f"`{os.path.dirname(folder)}` has {free} MB free, expected {LEAST_FREE_MB}")


def can_import(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def can_reach_loopback():
    """A connection is refused where there is a loopback, and has no way to go where there is none."""
    with socket.socket() as probe:
        probe.settimeout(2)
        try:
            probe.connect(("127.0.0.1", 9))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return True


def used_ports(port):
    web = [roster.endpoint(port, "web", number)[1] for number in range(1, roster.MOST_WEB_WORKERS + 1)]
    return [*(roster.endpoint(port, role)[1] for role in ("front", "database", "cache", "metrics")), *web]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def prepare(folder, sources):
    """Makes the folder with the first release in it. Of root's shop, all belongs to a user who may do nothing else."""
    os.mkdir(folder, 0o755)
    with open(os.path.join(folder, MARKER), "w") as marker:
        marker.write("This folder is a shop's: `shop stop` removes it.\n")
    for name in OWNED:
        os.mkdir(os.path.join(folder, name))
    os.mkdir(os.path.join(folder, "database"), 0o700)
    release = os.path.join(folder, "releases", "1")
    os.mkdir(release)
    for source in sources:
        shutil.copyfile(source, os.path.join(release, os.path.basename(source)))
    os.symlink("releases/1", os.path.join(folder, "current"))
    if os.getuid() == 0:
        mount_spool(folder)
        owner = pwd.getpwnam("nobody")
        for directory, _, files in os.walk(folder):
            for path in [directory, *(os.path.join(directory, name) for name in files)]:
                os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def mount_spool(folder):
    """Gives the spool a small filesystem of its own: ext4 in a file, else tmpfs, else none."""
    spool, image = os.path.join(folder, "spool"), os.path.join(folder, "spool.img")
    options = "nosuid,nodev,noexec"
    with open(image, "wb") as file:
        file.truncate(SPOOL_MB << 20)
    ext4 = [["mkfs.ext4", "-q", "-F", "-m", "0", image], ["mount", "-o", f"loop,{options}", image, spool]]
    if all(succeeds(command) for command in ext4):
        os.rmdir(os.path.join(spool, "lost+found"))
        return
    os.unlink(image)
    succeeds(["mount", "-t", "tmpfs", "-o", f"size={SPOOL_MB}m,{options}", "detective-shop-spool", spool])


def succeeds(command):
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def search_path():
    # Debian keeps nginx and mkfs where only root looks.
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def launch(folder, port, rate, seed, command):
    script = os.path.join(folder, "current", "supervisor.py")
    told = ["--folder", folder, "--port", str(port), "--rate", str(rate), "--seed", str(seed), "--command", command]
    identity = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    environment = {"PATH": search_path(), "LANG": "C.UTF-8", "HOME": folder}
    with open(os.path.join(folder, "log", "supervisor.out.log"), "ab") as output:
        return subprocess.Popen(
            [sys.executable, script, *told], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, **identity,
        )


def wait_until_it_answers(folder, supervisor):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            raise Trouble(f"the supervisor ended with {supervisor.returncode}: {last_words(folder)}")
        state = read_state(folder)
        if state and any(part["role"] == "traffic" for part in state["parts"]) and answers(f"http://{state['front']}/search?q=item-01"):
            return
        time.sleep(0.1)
    raise Trouble(f"the shop does not answer after {PATIENCE_SECONDS} s: {last_words(folder)}")


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status == 200 and "found" in json.load(reply)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def last_words(folder):
    """The end of what the supervisor and its parts said last."""
    lines = []
    for name in sorted(os.listdir(os.path.join(folder, "log"))):
        if name == "supervisor.log" or name.endswith(".out.log"):
            with open(os.path.join(folder, "log", name), errors="replace") as log:
                lines += [f"{name}: {line.strip()}" for line in log.readlines()[-3:]]
    return "\n  ".join(["", *lines]) if lines else "nothing was logged"


def keep_log(folder):
    """Nothing is kept of a shop that did not open; its last words are in the error."""
