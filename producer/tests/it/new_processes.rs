//! Facts about a process are read again while it is new.

use std::{os::unix::fs::symlink, path::Path};

use producer::Sweeper;

use crate::{children::*, fixture::*};

/// The process's role at `seconds` since boot; the process started at 12.34.
fn role(sweeper: &mut Sweeper, root: &Path, seconds: &str) -> String {
    write(root, "uptime", format!("{seconds} 0.00\n").as_bytes());
    let snapshot = sweeper.sweep().unwrap();
    node(&snapshot, process(&snapshot, 17).unwrap()).role.clone()
}

#[test]
fn a_title_set_after_the_first_sweep_is_read_and_later_changes_are_not() {
    let root = tree();
    let path = root.path();
    write(path, "17/stat", &stat(17, b"nginx", 0, 0));
    write(path, "17/cmdline", b"nginx\0-c\0/etc/nginx.conf\0");
    let mut sweeper = sweeper_of(&root);
    assert_eq!(role(&mut sweeper, path, "12.40"), "- nginx");
    write(path, "17/cmdline", b"nginx: worker process\0");
    assert_eq!(role(&mut sweeper, path, "13.40"), "- nginx");
    assert_eq!(role(&mut sweeper, path, "14.40"), "- nginx worker");
    assert_eq!(role(&mut sweeper, path, "100.00"), "- nginx worker");
    write(path, "17/cmdline", b"nginx: cache manager process\0");
    assert_eq!(role(&mut sweeper, path, "1000.00"), "- nginx worker");
}

#[test]
fn a_process_that_ends_while_new_keeps_its_role() {
    let root = tree();
    let path = root.path();
    let line = stat(17, b"python3", 0, 0);
    write(path, "17/stat", &line);
    write(path, "17/cmdline", b"python3\0/srv/job.py\0");
    symlink("/usr/bin/python3.11", path.join("17/exe")).unwrap();
    let mut sweeper = sweeper_of(&root);
    assert_eq!(role(&mut sweeper, path, "12.40"), "/usr/bin/python3.11 job.py");
    write(path, "17/stat", &String::from_utf8(line).unwrap().replace(") S ", ") Z ").into_bytes());
    write(path, "17/cmdline", b"");
    std::fs::remove_file(path.join("17/exe")).unwrap();
    assert_eq!(role(&mut sweeper, path, "20.00"), "/usr/bin/python3.11 job.py");
}
