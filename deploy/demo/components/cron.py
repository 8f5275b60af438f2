"""Run short jobs, one every other second, as a crontab does."""

import itertools
import os
import subprocess
import time

import process
import settings

PAUSE_SECONDS = 2
TIMEOUT_SECONDS = 30
JOBS = [
    "find log data -type f -newer workload.json | wc -l >run/changed-files",
    "tail -n 2000 log/audit.log | awk '{ sum += $NF } END { print sum }' >run/turnover",
    "du -sk log data >run/disk-usage",
    "tail -c 200000 log/latencies.jsonl | gzip -c >run/latest-latencies.gz",
]


def main():
    args = settings.parse_arguments(__doc__)
    process.initialize("shop-cron")
    os.chdir(args.folder)
    for job in itertools.cycle(JOBS):
        subprocess.run(["sh", "-c", job], timeout=TIMEOUT_SECONDS, check=False)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
