"""PostgreSQL, as the shop runs it: a small cluster in the shop's folder, made when there is none."""

import glob
import os
import shutil
import subprocess
import sys

import settings

SIZES = {
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
    """The folder of the newest PostgreSQL that Debian installed; None if there is none."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    return os.path.dirname(max(found, key=lambda path: int(path.split("/")[4]))) if found else None


def make_cluster(data):
    """Makes it aside, so that one that was not finished is not taken for one that was."""
    aside = f"{data}.new"
    shutil.rmtree(aside, ignore_errors=True)
    run("initdb", "-D", aside, "-U", "postgres", "--no-sync", "--auth=reject", "-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=4")
    # Who is on this machine may do to the shop's database what the shop does, and nobody may be its superuser.
    with open(os.path.join(aside, "pg_hba.conf"), "w") as rules:
        rules.write("host shop shop all trust\n")
    run("postgres", "--single", "-D", aside, "postgres", text="CREATE ROLE shop LOGIN\nCREATE DATABASE shop OWNER shop\n")
    schema = os.path.join(os.path.dirname(os.path.realpath(__file__)), "schema.sql")
    with open(schema) as statements:
        run("postgres", "--single", "-j", "-D", aside, "shop", text=statements.read())
    os.rename(aside, data)


def run(program, *arguments, text=""):
    command = [os.path.join(programs(), program), *arguments]
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0 or "ERROR:" in done.stdout:
        told = [line for line in done.stdout.splitlines() if "ERROR:" in line or "FATAL:" in line or "error:" in line]
        sys.exit(f"`{program}` ended with {done.returncode}: {' '.join(told) or done.stdout.strip()}")


def main():
    told = settings.read(__doc__)
    host, port = told.listen
    data = os.path.join(told.folder, "database", "cluster")
    if not os.path.exists(data):
        make_cluster(data)
    command = [os.path.join(programs(), "postgres"), "-D", data, "-p", str(port)]
    given = SIZES | {"listen_addresses": host, "unix_socket_directories": os.path.join(told.folder, "run")}
    for name, value in given.items():
        command += ["-c", f"{name}={value}"]
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
