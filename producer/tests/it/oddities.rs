//! Forms of kernel files that this host does not show: unusual names, and the formats of older
//! kernels.

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, symlink},
    },
    path::Path,
};

use schemas::GraphSnapshot;

use crate::{children::*, fixture::*};

/// A process that has only a `stat` file.
fn start(root: &Path, pid: u32, comm: &[u8]) {
    write(root, &format!("{pid}/stat"), &stat(pid, comm, 0, 0));
}

#[test]
fn a_process_can_have_the_highest_pid() {
    let root = tree();
    start(root.path(), 4_194_304, b"last");
    let snapshot = sweeper_of(&root).sweep().unwrap();
    assert_eq!(node(&snapshot, process(&snapshot, 4_194_304).unwrap()).id, "p:4194304:1234");
}

#[test]
fn a_control_group_can_have_any_name_and_lie_outside_the_root() {
    let root = tree();
    for (pid, cgroup) in [
        (17, &b"0::/a:b:c\n"[..]),
        (18, b"0::/../outside.slice\n"),
        (19, b"0::/with spaces in it\n"),
        (20, b"1:name=systemd:/old\n0::/caf\xe9\n"),
        (21, b"3:cpu,cpuacct:/legacy\n2:memory:/\n1:name=systemd:/user.slice\n0::/\n"),
        (22, b""),
    ] {
        start(root.path(), pid, b"x");
        write(root.path(), &format!("{pid}/cgroup"), cgroup);
    }
    let snapshot = sweeper_of(&root).sweep().unwrap();
    let group = |pid| {
        // A unit is called by its name, everything else by its path.
        let process = process(&snapshot, pid).unwrap();
        let edge = snapshot.edges.iter().find(|edge| edge.kind == "member-of" && edge.source as usize == process)?;
        Some(node(&snapshot, edge.target as usize).name.as_str())
    };
    assert_eq!(group(17), Some("/a:b:c"));
    assert_eq!(group(18), Some("outside.slice"));
    assert_eq!(group(19), Some("/with spaces in it"));
    assert_eq!(group(20), Some("/caf\\xe9"));
    assert_eq!(group(21), Some("/legacy"));
    assert_eq!(group(22), None);
}

#[test]
fn a_stat_line_can_end_where_older_kernels_ended_it() {
    let root = tree();
    // Field 22, the start time, is the last that is needed.
    write(root.path(), "17/stat", b"17 (old) S 4 17 17 0 -1 256 9 0 3 0 7 8 0 0 20 0 2 0 1234\n");
    write(root.path(), "18/stat", b"18 (older) S 4 17 17 0 -1 256 9 0 3 0 7 8 0 0 20 0 2 0\n");
    let snapshot = sweeper_of(&root).sweep().unwrap();
    assert_eq!(value(&snapshot, "threads", process(&snapshot, 17).unwrap()), Some(2.0));
    assert_eq!(process(&snapshot, 18), None);
    assert!(snapshot.coverage.iter().any(|gap| gap.signal == "process" && gap.reason == "unsupported"));
}

#[test]
fn features_that_a_kernel_lacks_are_missing_and_not_zero() {
    let root = tree();
    // Without I/O accounting there is no `io`; without delay accounting `schedstat` contains zeros.
    for (pid, schedstat) in [(17, "0 0 0\n"), (18, "5000 0 3\n")] {
        start(root.path(), pid, b"x");
        write(root.path(), &format!("{pid}/schedstat"), schedstat.as_bytes());
        write(root.path(), &format!("{pid}/statm"), b"0 0 0 0 0 0 0\n");
    }
    let mut sweeper = sweeper_of(&root);
    sweeper.sweep().unwrap();
    let snapshot = sweeper.sweep().unwrap();
    let [without, with] = [17, 18].map(|pid| process(&snapshot, pid).unwrap());
    assert_eq!(missing(&snapshot, "run_delay_pct", without), Some("unsupported"));
    assert_eq!(value(&snapshot, "run_delay_pct", with), Some(0.0));
    assert_eq!(missing(&snapshot, "read_bytes", with), Some("unsupported"));
    assert_eq!(value(&snapshot, "memory_rss", with), Some(0.0));
    let missing_count = |signal: &str| snapshot.coverage.iter().find(|gap| gap.signal == signal).map(|gap| gap.count);
    assert_eq!((missing_count("run-delay"), missing_count("io"), missing_count("memory")), (Some(1), Some(2), None));
}

#[test]
fn pressure_files_can_lack_full_or_be_absent() {
    let root = tree();
    start(root.path(), 17, b"x");
    write(root.path(), "pressure/io", b"some avg10=3.25 avg60=0.12 avg300=0.00 total=391926\n");
    let snapshot = sweeper_of(&root).sweep().unwrap();
    let at = |id: &str| snapshot.nodes.iter().position(|node| node.id == id).unwrap();
    let io = at("s:io");
    let memory = at("s:memory");
    assert_eq!(value(&snapshot, "psi_io_some", io), Some(3.25));
    assert_eq!(missing(&snapshot, "psi_io_full", io), Some("unsupported"));
    assert_eq!(missing(&snapshot, "psi_memory_some", memory), Some("unsupported"));
}

/// Creates processes that all have one file open as descriptor 3. Returns the file's id in
/// `/proc/locks`.
fn share_a_file(root: &Path, pids: &[u32]) -> String {
    let path = root.join("data");
    fs::write(&path, "").unwrap();
    for pid in pids {
        start(root, *pid, b"x");
        fs::create_dir(root.join(format!("{pid}/fd"))).unwrap();
        symlink(&path, root.join(format!("{pid}/fd/3"))).unwrap();
    }
    let inode = fs::metadata(&path).unwrap().ino();
    format!("fe:00:{inode}")
}

/// Whether there is an observed `waits-for` edge between the two processes.
fn waits(snapshot: &GraphSnapshot, waiter: i64, holder: i64) -> bool {
    let [waiter, holder] = [waiter, holder].map(|pid| process(snapshot, pid).unwrap());
    edge(snapshot, waiter, "waits-for", holder).is_some_and(|edge| edge.basis == "observed")
}

#[test]
fn waiters_can_be_nested_three_deep_among_locks_of_every_kind() {
    let root = tree();
    let file = share_a_file(root.path(), &[17, 18, 19, 20]);
    let locks = format!(
        "1: FLOCK  ADVISORY  WRITE 17 {file} 0 EOF\n\
         1: -> FLOCK  ADVISORY  WRITE 18 {file} 0 EOF\n\
         1:  -> FLOCK  ADVISORY  WRITE 19 {file} 0 EOF\n\
         1:   -> FLOCK  ADVISORY  WRITE 20 {file} 0 EOF\n\
         2: POSIX  *NOINODE* WRITE 17 <none>:0 0 EOF\n\
         3: LEASE  ACTIVE    READ  17 {file} 0 EOF\n\
         4: LEASE  BREAKING  UNLCK 17 {file} 0 EOF\n\
         5: DELEG  ACTIVE    READ  17 {file} 0 EOF\n\
         6: ACCESS ADVISORY  READ  17 {file} 7 EOF\n\
         7: OFDLCK ADVISORY  READ  -1 {file} 0 0\n\
         8: FLOCK  MSNFS     RW    17 {file} 0 EOF\n\
         9: UNKNOWN UNKNOWN  READ  17 {file} 0 EOF\n"
    );
    write(root.path(), "locks", locks.as_bytes());
    let snapshot = sweeper_of(&root).sweep().unwrap();
    for waiter in [18, 19, 20] {
        assert!(waits(&snapshot, waiter, 17), "{waiter}");
    }
    let data = node_with_path(&snapshot, root.path().join("data").to_str().unwrap()).unwrap();
    assert_eq!(value(&snapshot, "lock_waiters", data), Some(3.0));
}

#[test]
fn fdinfo_shows_the_lock_of_a_file_with_another_inode() {
    let root = tree();
    let file = share_a_file(root.path(), &[18, 19]);
    // Process 17, which took the lock, has exited.
    let locks = format!("1: FLOCK  ADVISORY  WRITE 17 {file} 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 19 {file} 0 EOF\n");
    write(root.path(), "locks", locks.as_bytes());
    let before_ino =
        format!("pos:\t0\nflags:\t0100002\nmnt_id:\t28\nlock:\t1: FLOCK  ADVISORY  WRITE 17 {file} 0 EOF\n");
    write(root.path(), "18/fdinfo/3", before_ino.as_bytes());
    // Older kernels do not count context switches per task either.
    write(root.path(), "19/task/19/status", b"Name:\tx\nState:\tS (sleeping)\nPid:\t19\n");
    let mut sweeper = sweeper_of(&root);
    assert!(waits(&sweeper.sweep().unwrap(), 19, 18));
    let second = sweeper.sweep().unwrap();
    assert!(value(&second, "blocked_ms", process(&second, 19).unwrap()) > Some(0.0));
    let shown = format!("lock: 1: FLOCK  ADVISORY  WRITE 17 {file} 0 EOF");
    assert!(second.evidence.iter().any(|evidence| evidence.text == shown), "{:?}", second.evidence);
}

#[test]
fn a_path_can_contain_bytes_that_are_not_utf_8() {
    let root = tree();
    let path = root.path().join(std::ffi::OsStr::from_bytes(b"a\xff\nb"));
    fs::write(&path, "").unwrap();
    start(root.path(), 17, b"x");
    fs::create_dir(root.path().join("17/fd")).unwrap();
    symlink(&path, root.path().join("17/fd/3")).unwrap();
    let snapshot = sweeper_of(&root).sweep().unwrap();
    let file = snapshot.nodes.iter().find(|node| node.kind == "file").unwrap();
    assert_eq!(file.name.strip_prefix(root.path().to_str().unwrap()), Some("/a\\xff\\x0ab"));
}
