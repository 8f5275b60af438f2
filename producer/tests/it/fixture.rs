//! A `proc` tree made by the test, for states that no real host shows on demand.

use std::{fs, path::Path};

use hostread::HostReadError;
use producer::{ProducerError, Sweeper};
use tempfile::TempDir;

use crate::children::*;

/// Writes a file of a tree and creates its parent directories.
pub fn write(root: &Path, name: &str, text: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The line of `stat` for a process started 12.34 seconds after boot.
pub fn stat(pid: u32, comm: &[u8], parent: u32, flags: u32) -> Vec<u8> {
    let rest = format!(") S {parent} 1 1 0 -1 {flags} 5 0 0 0 7 8 0 0 20 0 1 0 1234 1 1\n");
    [format!("{pid} (").as_bytes(), comm, rest.as_bytes()].concat()
}

/// A tree without processes, 20 seconds after boot.
pub fn tree() -> TempDir {
    let root = TempDir::new().unwrap();
    write(root.path(), "stat", b"cpu  10 0 5 100 0 0 0 0 0 0\n");
    write(root.path(), "uptime", b"20.00 10.00\n");
    std::os::unix::fs::symlink("99999999", root.path().join("self")).unwrap();
    root
}

/// A sweeper over such a tree.
pub fn sweeper_of(root: &TempDir) -> Sweeper {
    let mut producer = producer();
    producer.sweep.proc = root.path().to_owned();
    Sweeper::new(producer).unwrap()
}

#[test]
fn a_process_name_can_contain_anything() {
    let root = tree();
    let comm = b") R 1 (\n\xff x";
    write(root.path(), "17/stat", &stat(17, comm, 0, 0));
    write(root.path(), "17/statm", b"100 50 20 1 0 2 0\n");
    let snapshot = sweeper_of(&root).sweep().unwrap();
    let at = process(&snapshot, 17).unwrap();
    assert_eq!(node(&snapshot, at).name, ") R 1 (\\x0a\\xff x");
    assert_eq!(node(&snapshot, at).role, "- ) R # (\\x#a\\xff x");
    assert_eq!(node(&snapshot, at).id, "p:17:1234");
    assert_eq!(missing(&snapshot, "read_bytes", at), Some("unsupported"));
    assert_eq!(missing(&snapshot, "cpu_pct", at), Some("first-sweep"));
}

#[test]
fn kernel_threads_are_excluded_and_unreadable_processes_are_counted() {
    let root = tree();
    write(root.path(), "2/stat", &stat(2, b"kthreadd", 0, 0x0020_0000));
    write(root.path(), "17/stat", &stat(17, b"real", 2, 0));
    write(root.path(), "18/stat", b"nonsense");
    fs::create_dir(root.path().join("19")).unwrap();
    let snapshot = sweeper_of(&root).sweep().unwrap();
    let names: Vec<_> =
        snapshot.nodes.iter().filter(|node| node.kind == "process").map(|node| &node.name[..]).collect();
    assert_eq!(names, ["real"]);
    let missing_count = |reason: &str| {
        let entry = snapshot.coverage.iter().find(|entry| entry.signal == "process" && entry.reason == reason);
        entry.map(|entry| entry.count)
    };
    assert_eq!((missing_count("gone"), missing_count("unsupported")), (Some(1), Some(1)));
}

#[test]
fn host_counters_have_their_usual_names() {
    let root = tree();
    write(root.path(), "17/stat", &stat(17, b"real", 0, 0));
    write(root.path(), "pressure/cpu", b"some avg10=1.50 avg60=0.12 avg300=0.00 total=391926\n");
    write(root.path(), "meminfo", b"MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 50 kB\nBuffers: 1 kB\nCached: 1 kB\nSwapCached: 0 kB\nActive: 1 kB\nInactive: 1 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nDirty: 0 kB\nWriteback: 0 kB\nMapped: 0 kB\nSlab: 0 kB\nCommitted_AS: 0 kB\nVmallocTotal: 0 kB\nVmallocUsed: 0 kB\nVmallocChunk: 0 kB\n");
    let mut sweeper = sweeper_of(&root);
    let first = sweeper.sweep().unwrap();
    let system = |id: &str| first.nodes.iter().position(|node| node.id == id).unwrap();
    assert_eq!(value(&first, "psi_cpu_some", system("s:cpu")), Some(1.5));
    assert_eq!(missing(&first, "psi_memory_full", system("s:memory")), Some("unsupported"));
    assert_eq!(missing(&first, "host_cpu_pct", system("s:cpu")), Some("first-sweep"));
    assert_eq!(value(&first, "memory_available", system("s:memory")), Some(51200.0));
    write(root.path(), "stat", b"cpu  20 0 5 110 0 0 0 0 0 0\n");
    let second = sweeper.sweep().unwrap();
    assert_eq!(value(&second, "host_cpu_pct", system("s:cpu")), Some(50.0));
    assert_eq!((first.sequence, second.sequence, first.run == second.run), (0, 1, true));
}

#[test]
fn a_root_that_is_not_a_proc_filesystem_is_refused() {
    let root = TempDir::new().unwrap();
    let mut producer = producer();
    producer.sweep.proc = root.path().to_owned();
    let error = Sweeper::new(producer).err().unwrap();
    assert!(matches!(error, ProducerError::Host(HostReadError::NotProc { .. })));
    let expected = format!("`{}` is not a proc filesystem: expected `stat` and `self` in it", root.path().display());
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().is_some());
}

#[test]
fn a_fixture_shows_nothing_of_the_real_host() {
    let root = tree();
    write(root.path(), "17/stat", &stat(17, b"real", 0, 0));
    let snapshot = sweeper_of(&root).sweep().unwrap();
    assert!(!snapshot.nodes.iter().any(|node| node.kind == "endpoint"));
    assert!(snapshot.coverage.iter().any(|entry| entry.signal == "sockets-listing"));
}

#[test]
fn process_facts_are_read_again_at_any_age() {
    let root = tree();
    write(root.path(), "uptime", b"900.00 10.00\n");
    write(root.path(), "17/stat", &stat(17, b"python3", 0, 0));
    write(root.path(), "17/cmdline", b"python3\0/srv/old.py\0");
    let link = |target: &str, name: &str| {
        let path = root.path().join(name);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    link("/usr/bin/python3.11", "17/exe");
    let mut sweeper = sweeper_of(&root);
    let mut role = || {
        let snapshot = sweeper.sweep().unwrap();
        node(&snapshot, process(&snapshot, 17).unwrap()).role.clone()
    };
    assert_eq!(role(), "/usr/bin/python3.11 old.py");
    write(root.path(), "17/cmdline", b"python3\0/srv/new.py\0");
    link("/usr/bin/python3.13", "17/exe");
    let roles: Vec<String> = (0..64).map(|_| role()).collect();
    assert_eq!(roles[0], "/usr/bin/python3.11 old.py", "not in each sweep");
    assert_eq!(roles[63], "/usr/bin/python3.13 new.py");
}
