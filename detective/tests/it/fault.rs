//! What `fault start` says is true, and what is left of it: nothing.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::running::{PATIENCE, detective, output};

/// A fault that has begun, with what it says is true.
struct Fault {
    process: Child,
    said: BufReader<ChildStdout>,
    truth: Value,
    temporary: tempfile::TempDir,
}

impl Fault {
    fn start(hold: &str, more: &[&str]) -> Fault {
        let temporary = tempfile::tempdir().unwrap();
        let mut process = detective(&["fault", "start", "flock", "--json", "--after", "300ms", "--for", hold])
            .args(more)
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        Fault { process, said, truth: serde_json::from_str(&line).unwrap(), temporary }
    }

    fn pid(&self) -> u32 {
        u32::try_from(self.truth["pid"].as_u64().unwrap()).unwrap()
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(self.truth["path"].as_str().unwrap())
    }

    /// Its processes by name, the one that started it not among them.
    fn parts(&self) -> Vec<(String, u32)> {
        let started_by = format!("PPid:\t{}", self.process.id());
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let status = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let parts = pids.filter(|pid| status(pid).lines().any(|line| line == started_by));
        parts.map(|pid| (fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim().to_owned(), pid)).collect()
    }

    /// The part of this name.
    fn part(&self, name: &str) -> u32 {
        self.parts().into_iter().find(|(part, _)| part == name).unwrap().1
    }

    /// Waits for the end, and looks whether anything is left.
    #[track_caller]
    fn check_nothing_is_left(mut self, parts: &[(String, u32)]) -> (Option<i32>, String) {
        let status = self.process.wait().unwrap();
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.said, &mut rest).unwrap();
        assert_eq!(parts.len(), 5, "three writers, one rotator, one keeper: {parts:?}");
        let begun = Instant::now();
        loop {
            let alive: Vec<_> = parts.iter().filter(|(_, pid)| is_alive(*pid)).collect();
            let files: Vec<_> =
                fs::read_dir(self.temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            if alive.is_empty() && files.is_empty() && !self.path().exists() {
                return (status.code(), rest);
            }
            assert!(begun.elapsed() < PATIENCE, "left: {alive:?} {files:?}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether a process runs; one that nobody has waited for yet does not.
fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Whether a process holds an exclusive flock on a file.
fn holds_lock(pid: u32, path: &Path) -> bool {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap().path());
    let of_file = fds.filter(|fd| fs::read_link(fd).is_ok_and(|link| link == path));
    let info = |fd: PathBuf| {
        fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", fd.file_name().unwrap().to_str().unwrap())).unwrap()
    };
    of_file.map(info).any(|info| info.lines().any(|line| line.starts_with("lock:") && line.contains(" WRITE ")))
}

#[test]
fn what_it_says_is_true_and_nothing_is_left() {
    let fault = Fault::start("3s", &[]);
    let keys: Vec<&String> = fault.truth.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["name", "path", "pid"]);
    let (pid, path) = (fault.pid(), fault.path());
    assert_eq!(fault.truth["name"], fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim());
    assert!(path.is_absolute() && path.ends_with("app.log"), "{path:?}");
    assert!(holds_lock(pid, &path));
    let written = fs::metadata(&path).unwrap().len();
    assert!(written > 0, "the writers wrote while all was well");
    let parts = fault.parts();
    let writers: Vec<_> = parts.iter().filter(|(name, _)| name == "log-writer").collect();
    assert_eq!(writers.len(), 3, "{parts:?}");
    assert!(writers.iter().all(|(_, writer)| !holds_lock(*writer, &path)));
    let (code, rest) = fault.check_nothing_is_left(&parts);
    assert_eq!((code, rest.as_str()), (Some(0), ""), "it ends by itself, and said one line");
}

#[test]
fn an_interrupt_undoes_it() {
    for interrupt in [Signal::TERM, Signal::INT] {
        let fault = Fault::start("10m", &[]);
        let parts = fault.parts();
        signal(fault.process.id(), interrupt);
        assert_eq!(fault.check_nothing_is_left(&parts).0, Some(0));
    }
}

#[test]
fn the_end_by_force_of_who_started_it_undoes_it() {
    let fault = Fault::start("10m", &[]);
    let parts = fault.parts();
    signal(fault.process.id(), Signal::KILL);
    assert_eq!(fault.check_nothing_is_left(&parts).0, None);
}

#[test]
fn the_end_by_force_of_any_part_undoes_it() {
    for name in ["log-rotator", "log-writer", "detective"] {
        let fault = Fault::start("10m", &[]);
        let parts = fault.parts();
        signal(fault.part(name), Signal::KILL);
        assert_eq!(fault.check_nothing_is_left(&parts).0, Some(1), "{name}");
    }
}

#[test]
fn a_file_of_ones_choice_is_made_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("chosen.log");
    let fault = Fault::start("10m", &["--path", path.to_str().unwrap()]);
    assert_eq!(fault.path(), path);
    assert!(holds_lock(fault.pid(), &path));
    let parts = fault.parts();
    signal(fault.process.id(), Signal::KILL);
    fault.check_nothing_is_left(&parts);
}

#[test]
fn mistakes_are_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.log");
    fs::write(&file, "precious").unwrap();
    let file = file.to_str().unwrap();
    let nowhere = folder.path().join("nowhere/app.log");
    for (args, wanted) in [
        (&["flok"][..], "'flok'"),
        (&["flock", "--for", "11m"], "must be at most 10m, found 11m"),
        (&["flock", "--for", "soon"], "invalid value 'soon'"),
        (&["flock", "--path", file], "exists, and a fault touches only what it made itself"),
        (&["flock", "--path", nowhere.to_str().unwrap()], "cannot look at the folder"),
    ] {
        let output = output(&[&["fault", "start"], args].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}");
        assert!(said.contains(wanted), "expected `{wanted}` in:\n{said}");
    }
    assert_eq!(fs::read(file).unwrap(), b"precious");
}

#[test]
fn faults_are_listed() {
    let output = output(&["fault", "list"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().any(|line| line.starts_with("flock ") && line.contains("lock")), "{said}");
}
