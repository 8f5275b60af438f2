//! The user whose permissions an action has.
//!
//! A workload that root starts runs as `nobody`, which then owns its folder and its state file, and
//! can put anything there. So root accesses that folder, and starts helpers that do, with the
//! permissions of `nobody`: a link or a changed path gives `nobody` no access that it lacks.

use std::{os::unix::process::CommandExt, process::Command, thread};

use anyhow::Context;
use rustix::{
    process::{Gid, Uid, geteuid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use serde::{Deserialize, Serialize};

use super::search_path::search_path;

/// Uid and gid of `nobody`.
const UNPRIVILEGED: u32 = 65534;

/// A user, as seen from this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum User {
    /// The user of this process.
    #[default]
    Current,
    /// The user `nobody`, while this process is root's.
    Unprivileged,
}

impl User {
    /// The user with this uid; `None` if this process must not touch a workload of that user.
    pub fn from_uid(uid: u32) -> Option<User> {
        let current = geteuid();
        if uid == current.as_raw() {
            return Some(User::Current);
        }
        (current.is_root() && uid == UNPRIVILEGED).then_some(User::Unprivileged)
    }

    /// The user's uid.
    pub fn uid(self) -> u32 {
        match self {
            User::Current => geteuid().as_raw(),
            User::Unprivileged => UNPRIVILEGED,
        }
    }

    /// Runs a function with this user's permissions.
    ///
    /// # Errors
    /// If the kernel refuses to change the user. The function has not run then.
    pub fn run<T: Send>(self, function: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
        match self {
            User::Current => Ok(function()),
            User::Unprivileged => run_unprivileged(function),
        }
    }

    /// Makes a command run as this user, and hides the environment of this process from it.
    pub fn apply_to(self, command: &mut Command) {
        if self == User::Unprivileged {
            let temporary = std::env::var_os("TMPDIR").map(|folder| ("TMPDIR", folder));
            command.env_clear().env("PATH", search_path()).envs(temporary).current_dir("/");
            // This also removes all supplementary groups.
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
    }
}

/// The kernel keeps credentials for each thread, so the change ends with a thread of its own.
fn run_unprivileged<T: Send>(function: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
    let run = || {
        become_unprivileged().map_err(std::io::Error::from).context("cannot act as the user `nobody`")?;
        Ok(function())
    };
    let outcome = thread::scope(|scope| scope.spawn(run).join());
    outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("an action as the user `nobody` panicked")))
}

fn become_unprivileged() -> rustix::io::Result<()> {
    // Only the effective ids change: a thread whose real or saved id is that of `nobody` could be
    // killed by `nobody`, and the whole process with it.
    set_thread_groups(&[])?;
    set_thread_res_gid(None::<Gid>, Gid::from_raw(UNPRIVILEGED), None::<Gid>)?;
    set_thread_res_uid(None::<Uid>, Uid::from_raw(UNPRIVILEGED), None::<Uid>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_workload_and_for_root_an_unprivileged_one_may_be_used() {
        let own = geteuid();
        assert_eq!(User::from_uid(own.as_raw()), Some(User::Current));
        assert_eq!(User::from_uid(own.as_raw() + 1), None);
        assert_eq!(User::from_uid(UNPRIVILEGED), own.is_root().then_some(User::Unprivileged));
    }

    #[test]
    #[ignore = "needs root"]
    fn an_unprivileged_action_has_no_permission_of_root() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let written = User::Unprivileged.run(|| std::fs::write(&file, "")).unwrap();
        assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
        std::fs::write(&file, "").unwrap();
    }

    #[test]
    #[ignore = "needs root"]
    fn an_unprivileged_user_cannot_signal_the_thread_that_acts_for_it() {
        let status = User::Unprivileged.run(|| std::fs::read_to_string("/proc/thread-self/status")).unwrap().unwrap();
        let ids = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().split_whitespace();
        // Real, effective, saved, and that for files.
        assert!(ids("Uid:").eq(["0", "65534", "0", "65534"]), "{status}");
        assert!(ids("Gid:").eq(["0", "65534", "0", "65534"]), "{status}");
        assert!(ids("CapEff:").eq(["0000000000000000"]), "{status}");
    }

    #[test]
    #[ignore = "needs root"]
    fn an_unprivileged_command_has_no_group_and_no_environment_of_root() {
        let mut command = Command::new("sh");
        command.args(["-c", "id -u; id -G; env"]).env("PGPASSWORD", "secret");
        User::Unprivileged.apply_to(&mut command);
        let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(output.starts_with("65534\n65534\n"), "{output}");
        assert!(!output.contains("PGPASSWORD"), "{output}");
    }
}
