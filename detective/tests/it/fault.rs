//! `fault start` reports the ground truth, and leaves nothing behind.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::processes::{TIMEOUT, detective, output};

mod bare;
mod listing;
mod untrusted_workload;
mod workload;

/// A fault in a temporary folder of its own, and without a workload unless one is named.
struct Fault {
    process: Child,
    stdout: BufReader<ChildStdout>,
    temporary: tempfile::TempDir,
}

impl Fault {
    fn start(name: &str, more: &[&str]) -> Fault {
        Fault::start_with_workload(Path::new("/nonexistent"), name, more)
    }

    fn start_with_workload(workload: &Path, name: &str, more: &[&str]) -> Fault {
        let temporary = tempfile::tempdir().unwrap();
        let mut process = detective(&["fault", "start", name, "--json"])
            .args(more)
            .env("TMPDIR", temporary.path())
            .env("DETECTIVE_WORKLOAD", workload)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Fault { process, stdout, temporary }
    }

    /// Waits until the fault has begun, and returns its ground truth.
    fn ground_truth(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Name and pid of its living processes, which have its temporary folder in their environment.
    fn processes(&self) -> Vec<(String, u32)> {
        let mark = format!("TMPDIR={}", self.temporary.path().display());
        let entries = fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let has_mark = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        let own = pids.filter(has_mark).filter(|pid| is_alive(*pid));
        own.map(|pid| (comm(pid), pid)).collect()
    }

    /// Its processes except the injecting one.
    fn helpers_and_guard(&self) -> Vec<(String, u32)> {
        self.processes().into_iter().filter(|(_, pid)| *pid != self.process.id()).collect()
    }

    fn kill(&self) {
        signal(self.process.id(), Signal::KILL);
    }

    /// Waits for the fault to end, and until its processes and files are gone.
    #[track_caller]
    fn check_nothing_is_left(mut self) -> (Option<i32>, String) {
        let status = self.process.wait().unwrap();
        let begun = Instant::now();
        loop {
            let entries = fs::read_dir(self.temporary.path()).unwrap();
            let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            let alive = self.processes();
            if alive.is_empty() && files.is_empty() {
                break;
            }
            assert!(begun.elapsed() < TIMEOUT, "left: {alive:?} {files:?}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        // All processes that held the other end of the pipe are gone.
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status.code(), rest)
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// Whether a process exists and is no zombie.
fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

fn pid(suspect: &Value) -> u32 {
    u32::try_from(suspect["pid"].as_u64().unwrap()).unwrap()
}

fn path(suspect: &Value) -> PathBuf {
    PathBuf::from(suspect["path"].as_str().unwrap())
}

/// Whether a process holds an exclusive lock of a kind (`FLOCK`, `POSIX`) on a file.
fn holds_lock(pid: u32, kind: &str, path: &Path) -> bool {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap().path());
    let fds_of_file = fds.filter(|fd| fs::read_link(fd).is_ok_and(|link| link == path));
    let info = |fd: PathBuf| {
        fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", fd.file_name().unwrap().to_str().unwrap())).unwrap()
    };
    let is_lock = |line: &str| line.starts_with("lock:") && line.contains(kind) && line.contains(" WRITE ");
    fds_of_file.map(info).any(|info| info.lines().any(is_lock))
}

#[test]
fn the_ground_truth_is_correct_and_nothing_is_left_behind() {
    let mut fault = Fault::start("flock", &["--after", "300ms", "--for", "3s"]);
    let truth = fault.ground_truth();
    let pid = pid(&truth);
    let path = path(&truth);
    assert_eq!(truth["name"], comm(pid));
    assert!(path.is_absolute() && path.ends_with("app.log"), "{path:?}");
    assert!(holds_lock(pid, "FLOCK", &path));
    assert!(fs::metadata(&path).unwrap().len() > 0, "the writers wrote before the fault");
    let processes = fault.helpers_and_guard();
    let writers: Vec<_> = processes.iter().filter(|(name, _)| name == "log-writer").collect();
    assert_eq!((writers.len(), processes.len()), (3, 5), "three writers, one rotator, one guard: {processes:?}");
    assert!(writers.iter().all(|(_, writer)| !holds_lock(*writer, "FLOCK", &path)));
    let (code, rest) = fault.check_nothing_is_left();
    assert_eq!((code, rest.as_str()), (Some(0), ""), "it ends by itself, after one line of output");
}

#[test]
fn sigterm_and_sigint_undo_the_fault() {
    for number in [Signal::TERM, Signal::INT] {
        let mut fault = Fault::start("flock", &["--after", "0s", "--for", "10m"]);
        fault.ground_truth();
        signal(fault.process.id(), number);
        assert_eq!(fault.check_nothing_is_left().0, Some(0));
    }
}

#[test]
fn killing_any_process_of_a_fault_undoes_it() {
    for name in ["log-rotator", "log-writer", "detective"] {
        let mut fault = Fault::start("flock", &["--after", "0s", "--for", "10m"]);
        fault.ground_truth();
        let (_, pid) = fault.helpers_and_guard().into_iter().find(|(found, _)| found == name).unwrap();
        signal(pid, Signal::KILL);
        assert_eq!(fault.check_nothing_is_left().0, Some(1), "{name}");
    }
}

#[test]
fn the_file_of_path_is_created_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let chosen = folder.path().canonicalize().unwrap().join("chosen.log");
    let mut fault = Fault::start("flock", &["--after", "0s", "--path", chosen.to_str().unwrap()]);
    let truth = fault.ground_truth();
    assert_eq!(path(&truth), chosen);
    assert!(holds_lock(pid(&truth), "FLOCK", &chosen));
    fault.kill();
    fault.check_nothing_is_left();
    assert!(!chosen.exists());
}

#[test]
fn a_second_fault_with_the_same_temporary_folder_is_refused() {
    let mut fault = Fault::start("flock", &["--after", "0s", "--for", "10m"]);
    fault.ground_truth();
    let mut second = detective(&["fault", "start", "cpu-hog", "--json"]);
    let second =
        second.env("TMPDIR", fault.temporary.path()).env("DETECTIVE_WORKLOAD", "/nonexistent").output().unwrap();
    let stderr = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && stderr.contains("another fault is running"), "{stderr}");
    assert!(stderr.contains("hint: "), "{stderr}");
}

#[test]
fn invalid_arguments_are_refused_before_anything_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.log");
    fs::write(&file, "precious").unwrap();
    let file = file.to_str().unwrap();
    let nowhere = folder.path().join("nowhere/app.log");
    for (args, expected) in [
        (&["flok"][..], "'flok'"),
        (&["flock", "--for", "11m"], "must be at most 10m, found 11m"),
        (&["flock", "--for", "soon"], "invalid value 'soon'"),
        (&["flock", "--path", file], "exists, and a fault touches only files that it created"),
        (&["flock", "--path", nowhere.to_str().unwrap()], "cannot access the folder"),
    ] {
        let output = output(&[&["fault", "start"], args].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}");
        assert!(stderr.contains(expected), "expected `{expected}` in:\n{stderr}");
    }
    assert_eq!(fs::read(file).unwrap(), b"precious");
}
