//! Output and errors of the commands.

use std::{net::TcpListener, path::Path};

use expect_test::{Expect, expect};

use crate::processes::output;

/// Checks the error of a command. The path of `folder` is replaced by `FOLDER`.
#[track_caller]
fn check_failure(args: &[&str], folder: &Path, expected: Expect) {
    let output = output(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(output.stdout.is_empty(), "errors go to standard error");
    let stderr = String::from_utf8(output.stderr).unwrap().replace(folder.to_str().unwrap(), "FOLDER");
    let errors: String =
        stderr.lines().skip_while(|line| !line.starts_with("error:")).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&errors);
}

#[test]
fn a_directory_without_data_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    check_failure(
        &["alerts", "--data", data],
        folder.path(),
        expect![[r#"
        error: no detective data in `FOLDER`
        hint: start one with `detective up`, or name its directory with `--data DIR`
    "#]],
    );
}

#[test]
fn a_used_port_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = output(&["up", "--data", data, "--listen", &address]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(&format!("error: cannot listen on `{address}`: Address already in use")), "{stderr}");
    assert!(stderr.contains("hint: another program uses this port"), "{stderr}");
}

#[test]
fn a_folder_that_is_not_proc_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("detective.toml");
    std::fs::write(&config, format!("[sweep]\nproc = '{}'\n[api]\nlisten = '127.0.0.1:0'", folder.path().display()))
        .unwrap();
    let output = output(&["up", "--config", config.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = stderr.lines().find(|line| line.starts_with("error:")).unwrap();
    assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    assert!(stderr.contains("hint:"), "{stderr}");
}

#[test]
fn a_data_directory_below_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = file.join("data");
    let output = output(&["up", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(data.to_str().unwrap()) && stderr.contains("Not a directory"), "{stderr}");
}

#[test]
fn all_problems_of_the_settings_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("detective.toml");
    std::fs::write(&config, "[sweep]\nintervall = '1s'\n[alarm]\nsweeps_of_three = 4\n[learn]\nsnapshots = 'many'")
        .unwrap();
    let output = output(&["doctor", "--config", config.to_str().unwrap()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    for wanted in [
        "sweep.intervall",
        "did you mean `sweep.interval`",
        "alarm.sweeps_of_three",
        "1 to 3",
        "learn.snapshots",
        "many",
    ] {
        assert!(stderr.contains(wanted), "expected `{wanted}` in:\n{stderr}");
    }
}

#[test]
fn limits_that_concern_two_programs_are_checked_at_the_start() {
    for (flags, expected) in [
        (&["--learn", "9"][..], "learn.snapshots (flag): expected at least 10, found 9"),
        (
            &["--interval", "30s"],
            "alarm.stale_after (default): expected more than `sweep.interval`, which is 30s, found 30s",
        ),
    ] {
        let output = output(&[&["up"], flags].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(expected), "{flags:?}:\n{stderr}");
    }
}

#[test]
fn two_processes_cannot_use_one_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let up = crate::processes::UpProcess::start(folder.path());
    up.wait_for("/livez", |status, _| status == 200);
    let data = folder.path().to_str().unwrap();
    check_failure(
        &["up", "--data", data, "--listen", "127.0.0.1:0"],
        folder.path(),
        expect![[r#"
        error: another `detective up` uses the data directory `FOLDER`
        hint: stop it, or choose another directory with `--data DIR`
    "#]],
    );
}

#[test]
fn a_baseline_without_a_running_detective_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let data = folder.path().to_str().unwrap();
    let expect_error = |expected: &str| {
        let output = output(&["baseline", "--for", "10m", "--listen", &address, "--data", data]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{stderr}");
        assert!(stderr.contains("hint: start one with `detective up`"), "{stderr}");
    };
    expect_error("error: cannot read the token");
    scorer::api::token::Token::read_or_create(&folder.path().join("api.token")).unwrap();
    expect_error(&format!("error: no detective answers at http://{address}/api/baseline"));
}

#[test]
fn doctor_reports_counts_signals_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(&["doctor", "--data", folder.path().to_str().unwrap()]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for wanted in ["processes", "cpu_pct", "blocked_ms", "no detective data in"] {
        assert!(stdout.contains(wanted), "expected `{wanted}` in:\n{stdout}");
    }
}

#[test]
fn help_has_examples() {
    let commands = ["up", "alerts", "explain", "baseline", "evaluate"];
    for args in [vec!["--help"]].into_iter().chain(commands.map(|command| vec![command, "--help"])) {
        let output = output(&args);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(stdout.contains("Example"), "{args:?} prints:\n{stdout}");
    }
}
