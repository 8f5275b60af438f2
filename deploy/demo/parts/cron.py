"""Cron's work: every other second one of a few short jobs, as a crontab has them."""

import itertools
import os
import subprocess
import time

import process
import settings

EVERY_SECONDS = 2
LONGEST_SECONDS = 30
JOBS = [
    "find log data -type f -newer shop.json | wc -l >run/changed-files",
    "tail -n 2000 log/audit.log | awk '{ sum += $NF } END { print sum }' >run/turnover",
    "du -sk log data >run/disk-usage",
    "tail -c 200000 log/latencies.jsonl | gzip -c >run/latest-latencies.gz",
]


def main():
    told = settings.read(__doc__)
    process.begin("shop-cron")
    os.chdir(told.folder)
    for job in itertools.cycle(JOBS):
        subprocess.run(["sh", "-c", job], timeout=LONGEST_SECONDS, check=False)
        time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
