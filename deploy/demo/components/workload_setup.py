"""Setting up a workload: creates its folder and spool, and starts its supervisor."""

import os
import pwd
import shutil
import subprocess
import sys

import workload_checks
from workload_folder import MARKER, USER, open_file, open_folder

SPOOL_MB = 64
# What is read of the end of each log.
LOG_TAIL_BYTES = 4096


def create_folder(folder, subfolders, sources):
    """Creates the folder with its first release: copies of the sources in `current`."""
    os.mkdir(folder, 0o755)
    with open(os.path.join(folder, MARKER), "w") as marker:
        marker.write("This folder belongs to a workload, which removes it when it stops.\n")
    for name in (*subfolders, "releases"):
        os.mkdir(os.path.join(folder, name))
    release = os.path.join(folder, "releases", "1")
    os.mkdir(release)
    for source in sources:
        shutil.copyfile(source, os.path.join(release, os.path.basename(source)))
    os.symlink("releases/1", os.path.join(folder, "current"))


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
        mount_tmpfs(spool)


def mount_tmpfs(spool):
    """Mounts a small filesystem in memory at the spool, if the kernel allows it."""
    options = f"size={SPOOL_MB}m,nosuid,nodev,noexec"
    succeeds(["mount", "-t", "tmpfs", "-o", options, "detective-spool", spool])


def succeeds(command):
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def launch_supervisor(folder, options, output):
    """Starts the release's `supervisor.py`, as an unprivileged user if root runs this."""
    script = os.path.join(folder, "current", "supervisor.py")
    identity = {}
    if os.getuid() == 0:
        identity = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []}
    return subprocess.Popen(
        [sys.executable, script, "--folder", folder, *options],
        cwd=folder,
        env={"PATH": workload_checks.search_path(), "LANG": "C.UTF-8", "HOME": folder},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        **identity,
    )


def last_log_lines(path):
    """Returns the last lines that the supervisor and the components logged."""
    lines = []
    with open_folder(path) as folder:
        if folder is None:
            return "the logs cannot be read"
        try:
            logs = os.open("log", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        except OSError:
            return "the logs cannot be read"
        for name in sorted(os.listdir(logs)):
            if name == "supervisor.log" or name.endswith(".out.log"):
                lines += [f"{name}: {line}" for line in last_lines(logs, name)]
        os.close(logs)
    return "\n  ".join(["", *lines]) if lines else "nothing was logged"


def last_lines(logs, name):
    """Returns the last three lines of a file in a folder, which is a descriptor."""
    try:
        with open_file(logs, name) as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - LOG_TAIL_BYTES))
            text = log.read(LOG_TAIL_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines()[-3:]]
