//! What is seen with few rights.

use std::{os::unix::process::CommandExt, process::Command};

use crate::children::*;

/// The environment variable that says that the rights are gone already.
const INSIDE: &str = "PRODUCER_TEST_WITHOUT_RIGHTS";

#[test]
#[ignore = "needs root"]
fn what_may_not_be_read_is_denied_and_not_zero() {
    const NOBODY: u32 = 65534;
    if std::env::var_os(INSIDE).is_none() {
        let child = Kept::start(Command::new("sleep").arg("60"));
        // Nobody may not enter every directory that a build can be in.
        let program =
            tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir();
        let program = program.unwrap();
        let copy = program.path().join("it");
        std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let mut again = Command::new(copy);
        again.args(["rights::what_may_not_be_read_is_denied_and_not_zero", "--exact", "--ignored"]);
        let status = again.env(INSIDE, child.pid().to_string()).current_dir("/").uid(NOBODY).gid(NOBODY).status();
        assert!(status.unwrap().success());
        return;
    }
    let pid: i64 = std::env::var(INSIDE).unwrap().parse().unwrap();
    let snapshot = sweeper().sweep().unwrap();
    let at = process(&snapshot, pid).unwrap();
    for column in ["fds", "sockets", "read_bytes", "write_bytes"] {
        assert_eq!((value(&snapshot, column, at), missing(&snapshot, column, at)), (None, Some("denied")), "{column}");
    }
    assert_eq!(node(&snapshot, at).role, "- sleep");
    for signal in ["fd", "io", "syscall"] {
        assert!(snapshot.coverage.iter().any(|gap| gap.signal == signal && gap.reason == "denied"), "{signal}");
    }
}
