//! A PID namespace, whose list of locks leaves out those of dead owners, and a mount namespace, where the host's
//! filesystems are not.

use std::process::Command;

use crate::children::*;

/// The environment variable that says that this process is in the namespace already.
const INSIDE: &str = "PRODUCER_TEST_INSIDE";

#[test]
#[ignore = "needs root"]
fn in_a_pid_namespace_waiters_still_point_at_the_holder() {
    if std::env::var_os(INSIDE).is_none() {
        let status = Command::new("unshare")
            .args(["--pid", "--fork", "--mount", "--mount-proc"])
            .arg(std::env::current_exe().unwrap())
            .args(["namespace::in_a_pid_namespace_waiters_still_point_at_the_holder", "--exact", "--ignored"])
            .env(INSIDE, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    super::locks::a_lock_of_a_dead_owner_is_found();
}

#[test]
#[ignore = "needs root"]
fn what_is_mounted_for_process_1_is_seen_by_a_producer_with_mounts_of_its_own() {
    let directory = match std::env::var(INSIDE) {
        Ok(directory) => directory,
        Err(_) => return assert!(again_beside_process_1().success()),
    };
    // The shell that is process 1 there has a file open on it.
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| node_with_path(snapshot, &directory));
    assert_eq!(value(&snapshot, "space_free", at), Some(4194304.0));
    assert!(edge(&snapshot, process(&snapshot, 1).unwrap(), "opens", at).is_some());
}

fn again_beside_process_1() -> std::process::ExitStatus {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=4M none "$2" && exec 9>"$2/log" || exit 1
        unshare --mount sh -c 'exec 9>&-; umount "$2" && exec "$1" "$3" --exact --ignored' sh "$@""#;
    const TEST: &str = "namespace::what_is_mounted_for_process_1_is_seen_by_a_producer_with_mounts_of_its_own";
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let mut shell = Command::new("unshare");
    shell.args(["--pid", "--fork", "--mount", "--mount-proc", "sh", "-c", SCRIPT, "sh"]);
    shell.arg(std::env::current_exe().unwrap()).arg(&path).arg(TEST).env(INSIDE, &path).status().unwrap()
}
