"""Opening the shop: its folder, its spool, its supervisor; done when it answers."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import closing
import requirements
from folder import MARKER, USER, Trouble, is_running, read_state

SPOOL_MB = 64
PATIENCE_SECONDS = 40
OWNED = ("log", "data", "control", "run", "cache", "spool", "releases")


def open_shop(folder, port, rate, seed, command, sources):
    """Returns what there is to say about the shop that is open."""
    state = read_state(folder)
    if state and is_running(state):
        return f"the shop is open already: http://{state['front']} (supervisor {state['pid']}, folder {folder})"
    # What a supervisor that was killed has left may keep the ports.
    closing.close_shop(folder)
    requirements.check(folder, port)
    prepare(folder, sources)
    # Opened while it is still nobody else's: it is this process that opens it, and the owner of its folder could lead it elsewhere.
    with open(os.path.join(folder, "log", "supervisor.out.log"), "ab") as output:
        give_away(folder)
        supervisor = launch(folder, port, rate, seed, command, output)
    try:
        wait_until_it_answers(folder, supervisor)
    except BaseException:
        closing.close_shop(folder)
        raise
    return f"the shop is open: http://127.0.0.1:{port} (supervisor {supervisor.pid}, folder {folder})"


def prepare(folder, sources):
    """Makes the folder with the first release in it."""
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


def give_away(folder):
    """Of root's shop, all belongs to a user who may do nothing else."""
    if os.getuid() != 0:
        return
    owner = pwd.getpwnam(USER)
    # What is in a folder before the folder: its owner could replace what is in it.
    for directory, _, files in os.walk(folder, topdown=False):
        for path in [*(os.path.join(directory, name) for name in files), directory]:
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def mount_spool(folder):
    """Gives the spool a small filesystem of its own: ext4 in a file, else tmpfs, else none."""
    spool, image = os.path.join(folder, "spool"), os.path.join(folder, "spool.img")
    options = "nosuid,nodev,noexec"
    with open(image, "wb") as file:
        file.truncate(SPOOL_MB << 20)
    ext4 = [["mkfs.ext4", "-q", "-F", "-m", "0", image], ["mount", "-o", f"loop,{options}", image, spool]]
    mounted = all(succeeds(command) for command in ext4)
    # The kernel keeps the file as long as it is mounted, and nobody is to write to a filesystem behind its back.
    os.unlink(image)
    if mounted:
        os.rmdir(os.path.join(spool, "lost+found"))
    else:
        succeeds(["mount", "-t", "tmpfs", "-o", f"size={SPOOL_MB}m,{options}", "detective-shop-spool", spool])


def succeeds(command):
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def launch(folder, port, rate, seed, command, output):
    script = os.path.join(folder, "current", "supervisor.py")
    told = ["--folder", folder, "--port", str(port), "--rate", str(rate), "--seed", str(seed), "--command", command]
    identity = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    environment = {"PATH": requirements.search_path(), "LANG": "C.UTF-8", "HOME": folder}
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
