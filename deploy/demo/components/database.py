"""PostgreSQL as the shop runs it: a small cluster in the shop's folder, created on first start."""

import glob
import os
import shutil
import subprocess
import sys

import settings

PARAMETERS = {
    "max_connections": 40,
    "superuser_reserved_connections": 3,
    "shared_buffers": "16MB",
    "work_mem": "2MB",
    "maintenance_work_mem": "16MB",
    "max_worker_processes": 2,
    "max_parallel_workers_per_gather": 0,
    "autovacuum_max_workers": 1,
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "min_wal_size": "8MB",
    "max_wal_size": "32MB",
    "jit": "off",
    "logging_collector": "off",
}


def programs():
    """Returns the folder of the newest PostgreSQL that Debian installed, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    if not found:
        return None
    return os.path.dirname(max(found, key=lambda path: int(path.split("/")[4])))


def make_cluster(data):
    """Creates the cluster under a temporary name, so that an unfinished one is never used."""
    new = f"{data}.new"
    shutil.rmtree(new, ignore_errors=True)
    run(
        "initdb",
        "-D",
        new,
        "-U",
        "postgres",
        "--no-sync",
        "--auth=reject",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--wal-segsize=4",
    )
    # Every user of this machine may connect as the shop; no user may connect as the superuser.
    with open(os.path.join(new, "pg_hba.conf"), "w") as rules:
        rules.write("host shop shop all trust\n")
    roles = "CREATE ROLE shop LOGIN\nCREATE DATABASE shop OWNER shop\n"
    run("postgres", "--single", "-D", new, "postgres", text=roles)
    schema = os.path.join(os.path.dirname(os.path.realpath(__file__)), "schema.sql")
    with open(schema) as statements:
        run("postgres", "--single", "-j", "-D", new, "shop", text=statements.read())
    os.rename(new, data)


def run(program, *arguments, text=""):
    command = [os.path.join(programs(), program), *arguments]
    done = subprocess.run(
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0 or "ERROR:" in done.stdout:
        markers = ("ERROR:", "FATAL:", "error:")
        lines = [line for line in done.stdout.splitlines() if any(mark in line for mark in markers)]
        output = " ".join(lines) or done.stdout.strip()
        sys.exit(f"`{program}` exited with {done.returncode}: {output}")


def main():
    args = settings.parse_arguments(__doc__)
    host, port = args.listen
    data = os.path.join(args.folder, "database", "cluster")
    if not os.path.exists(data):
        make_cluster(data)
    command = [os.path.join(programs(), "postgres"), "-D", data, "-p", str(port)]
    addresses = {
        "listen_addresses": host,
        "unix_socket_directories": os.path.join(args.folder, "run"),
    }
    for name, value in (PARAMETERS | addresses).items():
        command += ["-c", f"{name}={value}"]
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
