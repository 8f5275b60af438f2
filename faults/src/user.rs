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

use super::requirement::search_path;

/// Uid and gid of `nobody`.
const NOBODY: u32 = 65534;

/// A user, as seen from this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum User {
    /// The user of this process.
    #[default]
    Current,
    /// The user `nobody`, while this process is root's.
    Nobody,
}

impl User {
    /// The user with this uid; `None` if this process must not touch a workload of that user.
    pub fn from_uid(uid: u32) -> Option<User> {
        let current = geteuid();
        if uid == current.as_raw() {
            return Some(User::Current);
        }
        (current.is_root() && uid == NOBODY).then_some(User::Nobody)
    }

    /// The user's uid.
    pub fn uid(self) -> u32 {
        match self {
            User::Current => geteuid().as_raw(),
            User::Nobody => NOBODY,
        }
    }

    /// Runs a function with this user's permissions.
    ///
    /// # Errors
    /// If the kernel refuses to change the user. The function has not run then.
    pub fn run<T: Send>(self, function: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
        match self {
            User::Current => Ok(function()),
            User::Nobody => run_as_nobody(function),
        }
    }

    /// Makes a command run as this user, and hides the environment of this process from it.
    pub fn apply_to(self, command: &mut Command) {
        if self == User::Nobody {
            let temporary = std::env::var_os("TMPDIR").map(|folder| ("TMPDIR", folder));
            command.env_clear().env("PATH", search_path()).envs(temporary).current_dir("/");
            // This also removes all supplementary groups.
            command.uid(NOBODY).gid(NOBODY);
        }
    }
}

/// The kernel keeps credentials for each thread, so the change ends with a thread of its own.
fn run_as_nobody<T: Send>(function: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
    let run = || {
        become_nobody().map_err(std::io::Error::from).context("cannot act as the user `nobody`")?;
        Ok(function())
    };
    let outcome = thread::scope(|scope| scope.spawn(run).join());
    outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("an action as the user `nobody` panicked")))
}

fn become_nobody() -> rustix::io::Result<()> {
    let group = Gid::from_raw(NOBODY);
    let user = Uid::from_raw(NOBODY);
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_workload_and_for_root_that_of_nobody_may_be_used() {
        let own = geteuid();
        assert_eq!(User::from_uid(own.as_raw()), Some(User::Current));
        assert_eq!(User::from_uid(own.as_raw() + 1), None);
        assert_eq!(User::from_uid(NOBODY), own.is_root().then_some(User::Nobody));
    }

    #[test]
    #[ignore = "needs root"]
    fn an_action_as_nobody_has_no_permission_of_root() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let written = User::Nobody.run(|| std::fs::write(&file, "")).unwrap();
        assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
        std::fs::write(&file, "").unwrap();
    }

    #[test]
    #[ignore = "needs root"]
    fn a_command_as_nobody_has_no_group_and_no_environment_of_root() {
        let mut command = Command::new("sh");
        command.args(["-c", "id -u; id -G; env"]).env("PGPASSWORD", "secret");
        User::Nobody.apply_to(&mut command);
        let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(output.starts_with("65534\n65534\n"), "{output}");
        assert!(!output.contains("PGPASSWORD"), "{output}");
    }
}
