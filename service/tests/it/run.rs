//! Exit codes and error reports of a program.

use std::process::{Command, ExitCode};

use service::{Hint, run};

/// Set in the child process that runs the failing program.
const IS_CHILD: &str = "SERVICE_TEST_FAILS";

#[tokio::test]
async fn a_program_that_fails_reports_on_standard_error() {
    if std::env::var_os(IS_CHILD).is_some() {
        let code = run(async { Err(anyhow::anyhow!("broken")).hint("fix it") }).await;
        assert_eq!(code, ExitCode::FAILURE);
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "run::a_program_that_fails_reports_on_standard_error", "--nocapture"])
        .env(IS_CHILD, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: broken\nhint: fix it\n");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("broken"));
}

#[tokio::test]
async fn a_program_that_succeeds_returns_its_exit_code() {
    assert_eq!(run(async { Ok(ExitCode::from(3)) }).await, ExitCode::from(3));
}
