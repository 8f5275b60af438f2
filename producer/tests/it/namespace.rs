//! A PID namespace, whose list of locks leaves out those of dead owners.

use std::process::Command;

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
