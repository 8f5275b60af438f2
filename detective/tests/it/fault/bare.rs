//! Faults that require no workload: each has its effect, and a kill at any time leaves nothing
//! behind.

use std::{
    fs,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::Value;

use super::{Fault, comm, holds_lock, is_alive, path, pid};
use crate::processes::TIMEOUT;

const FAULTS: [&str; 9] = [
    "cpu-hog",
    "memory-leak",
    "flock",
    "forked-holder",
    "posix-lock",
    "fsync-hog",
    "fork-storm",
    "thread-explosion",
    "fd-leak",
];

/// Starts a fault, checks its ground truth and its effect, and kills it.
#[track_caller]
fn check(name: &str, check_effect: impl Fn(&Value)) {
    let mut fault = Fault::start(name, &["--after", "0s", "--for", "10m"]);
    let truth = fault.ground_truth();
    assert_eq!((truth["fault"].as_str(), truth["harmless"].as_bool()), (Some(name), Some(false)));
    assert_eq!(truth["root_cause"][0]["pid"], truth["pid"]);
    let root_cause = truth["root_cause"].as_array().unwrap();
    for suspect in root_cause.iter().chain(truth["victims"].as_array().unwrap()) {
        assert!(is_alive(pid(suspect)), "{suspect}");
        assert_eq!(suspect["name"], comm(pid(suspect)));
    }
    check_effect(&truth);
    fault.kill();
    fault.check_nothing_is_left();
}

/// Waits until a condition holds.
#[track_caller]
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < TIMEOUT, "{what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A field of `/proc/PID/stat`, numbered as in proc(5), from the third.
fn stat(pid: u32, field: usize) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    text.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(field - 3).unwrap().parse().unwrap()
}

#[test]
fn cpu_hogs_compute_on_all_cores() {
    check("cpu-hog", |truth| {
        let hogs = truth["root_cause"].as_array().unwrap();
        assert_eq!(hogs.len(), std::thread::available_parallelism().unwrap().get().min(16));
        // utime.
        wait_until("all of them compute", || hogs.iter().all(|hog| stat(pid(hog), 14) > 10));
    });
}

#[test]
fn the_reconciler_holds_the_posix_lock() {
    check("posix-lock", |truth| {
        assert!(holds_lock(pid(truth), "POSIX", &path(truth)));
        assert!(truth["victims"].as_array().unwrap().iter().all(|biller| !holds_lock(
            pid(biller),
            "POSIX",
            &path(truth)
        )));
    });
}

#[test]
fn the_orphan_holds_a_lock_that_its_dead_parent_took() {
    check("forked-holder", |truth| {
        assert_eq!(truth["name"], "app-server");
        assert!(holds_lock(pid(truth), "FLOCK", &path(truth)));
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(path(truth)).unwrap());
        let lock = locks.lines().find(|line| line.contains("FLOCK") && line.contains(&format!(":{inode} "))).unwrap();
        let locked_by: u32 = lock.split_ascii_whitespace().nth(4).unwrap().parse().unwrap();
        assert!(locked_by != pid(truth) && !is_alive(locked_by), "{lock}");
    });
}

#[test]
fn the_backup_writes_a_file_of_limited_size() {
    check("fsync-hog", |truth| {
        let written = || fs::read_to_string(format!("/proc/{}/io", pid(truth))).unwrap();
        let bytes = |text: String| text.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse::<u64>().ok());
        wait_until("it writes", || bytes(written()).unwrap() > 150_000_000);
        assert!(fs::metadata(path(truth)).unwrap().len() <= 4 * (32 << 20));
    });
}

#[test]
fn the_cron_runner_starts_many_processes() {
    check("fork-storm", |truth| {
        // Each thread has its own list of children.
        let children = || {
            let tasks = fs::read_dir(format!("/proc/{}/task", pid(truth))).unwrap().map(|task| task.unwrap().path());
            let children = |task: std::path::PathBuf| fs::read_to_string(task.join("children")).unwrap_or_default();
            tasks.map(|task| children(task).split_ascii_whitespace().count()).sum::<usize>()
        };
        // cminflt: minor faults of children that it has waited for.
        wait_until("children come and go", || stat(pid(truth), 11) > 1000);
        wait_until("some are there", || children() > 0);
        assert!(children() <= 256);
    });
}

#[test]
fn the_session_server_leaks_up_to_its_limit() {
    check("fd-leak", |truth| {
        let files = || fs::read_dir(format!("/proc/{}/fd", pid(truth))).unwrap().count();
        wait_until("it has as many descriptors as its limit allows", || files() == 512);
    });
    check("thread-explosion", |truth| wait_until("it has many threads", || stat(pid(truth), 20) > 100));
    check("memory-leak", |truth| {
        let pages = || stat(pid(truth), 24);
        let before = pages();
        wait_until("it grows", || pages() > before + 8000);
    });
}

#[test]
fn a_kill_at_any_time_leaves_nothing_behind() {
    let mut random = SmallRng::seed_from_u64(6);
    for name in FAULTS {
        for most in [5, 60, 400] {
            let mut fault = Fault::start(name, &["--after", "50ms", "--for", "10m"]);
            std::thread::park_timeout(Duration::from_millis(random.random_range(0..most)));
            fault.process.kill().unwrap();
            fault.check_nothing_is_left();
        }
    }
}
