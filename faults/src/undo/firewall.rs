//! Firewall rules, added and deleted by `iptables`.

use std::process::{Command, Output, Stdio};

use anyhow::Context;
use service::Hint;

use crate::search_path::search_path;

/// Exit code of `iptables -C` if the rule does not exist.
const NO_RULE: i32 = 1;

/// Deletes a rule; does nothing if it does not exist.
///
/// # Errors
/// If `iptables` fails.
pub fn delete_rule(rule: &[String]) -> anyhow::Result<()> {
    /// Exit code of `iptables` if another process holds its lock.
    const BUSY: i32 = 4;
    /// Each takes up to five seconds.
    const ATTEMPTS: u32 = 24;
    let mut attempts = 0;
    loop {
        let checked = run_iptables("-C", rule, Stdio::null())?;
        if checked.status.code() == Some(NO_RULE) {
            return Ok(());
        }
        let (action, outcome) =
            if checked.status.success() { ("-D", run_iptables("-D", rule, Stdio::null())?) } else { ("-C", checked) };
        attempts += u32::from(outcome.status.code() == Some(BUSY));
        if !outcome.status.success() && (outcome.status.code() != Some(BUSY) || attempts > ATTEMPTS) {
            return Err(iptables_error(action, rule, &outcome));
        }
    }
}

/// Checks that `iptables` works and the rule does not exist: an existing rule would be deleted by
/// the undo step.
///
/// # Errors
/// If the rule exists, or `iptables` fails.
pub fn check_rule_is_absent(rule: &[String]) -> anyhow::Result<()> {
    check_is_absent(rule, &run_iptables("-C", rule, Stdio::null())?)
}

fn check_is_absent(rule: &[String], checked: &Output) -> anyhow::Result<()> {
    if checked.status.code() == Some(NO_RULE) {
        return Ok(());
    }
    if checked.status.success() {
        let rule = rule.join(" ");
        return Err(anyhow::anyhow!("the firewall already has the rule `{rule}`"))
            .hint(format!("delete it: `iptables -D {rule}`"));
    }
    Err(iptables_error("-C", rule, checked)).hint("this kernel or container may have no firewall, or deny access to it")
}

/// Inserts a rule before all others, some of which may accept loopback traffic. `iptables` holds
/// `stdin` while it runs.
///
/// # Errors
/// If `iptables` fails.
pub fn insert_rule(rule: &[String], stdin: Stdio) -> anyhow::Result<()> {
    let outcome = run_iptables("-I", rule, stdin)?;
    if outcome.status.success() { Ok(()) } else { Err(iptables_error("-I", rule, &outcome)) }
}

fn iptables_error(action: &str, rule: &[String], outcome: &Output) -> anyhow::Error {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    anyhow::anyhow!("`iptables {action} {}` exited with {}: {}", rule.join(" "), outcome.status, stderr.trim_end())
}

/// Runs `iptables`, which waits up to five seconds for its lock.
fn run_iptables(action: &str, rule: &[String], stdin: Stdio) -> anyhow::Result<Output> {
    let mut command = Command::new("iptables");
    command.env("PATH", search_path()).args(["-w", "5", action]).args(rule).stdin(stdin);
    command.output().context("cannot run `iptables`")
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

    use super::*;

    #[test]
    fn a_rule_is_added_only_if_the_firewall_works_and_lacks_the_rule() {
        let rule = ["INPUT".to_owned(), "-j".to_owned(), "DROP".to_owned()];
        let output = |code: i32| Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: Vec::new(),
            stderr: b"can't initialize\n".to_vec(),
        };
        assert!(check_is_absent(&rule, &output(NO_RULE)).is_ok());
        let exists = check_is_absent(&rule, &output(0)).unwrap_err().to_string();
        assert_eq!(exists, "the firewall already has the rule `INPUT -j DROP`");
        let failed = check_is_absent(&rule, &output(3)).unwrap_err().to_string();
        assert_eq!(failed, "`iptables -C INPUT -j DROP` exited with exit status: 3: can't initialize");
    }
}
