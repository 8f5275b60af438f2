//! What each command prints, and what a mistake gets.

use std::{net::TcpListener, path::Path};

use expect_test::{Expect, expect};

use crate::running::output;

/// Standard error of a command that fails, with the folder's name taken out.
#[track_caller]
fn check_failure(args: &[&str], folder: &Path, expected: Expect) {
    let output = output(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(output.stdout.is_empty(), "standard output carries results alone");
    let said = String::from_utf8(output.stderr).unwrap().replace(folder.to_str().unwrap(), "FOLDER");
    let errors: String =
        said.lines().skip_while(|line| !line.starts_with("error:")).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&errors);
}

#[test]
fn a_directory_without_data_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    check_failure(
        &["alerts", "--data", data],
        folder.path(),
        expect![[r#"
        error: no detective has kept data in `FOLDER`
        hint: start one with `detective up`, or name its directory with `--data DIR`
    "#]],
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = output(&["up", "--data", data, "--listen", &address]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("error: cannot listen on `{address}`: Address already in use")), "{said}");
    assert!(said.contains("hint: another program uses this port"), "{said}");
}

#[test]
fn a_wrong_proc_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("detective.toml");
    std::fs::write(&config, format!("[sweep]\nproc = '{}'\n[api]\nlisten = '127.0.0.1:0'", folder.path().display()))
        .unwrap();
    let output = output(&["up", "--config", config.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = said.lines().find(|line| line.starts_with("error:")).unwrap();
    assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    assert!(said.contains("hint:"), "{said}");
}

#[test]
fn a_data_directory_below_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = file.join("data");
    let output = output(&["up", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(data.to_str().unwrap()) && said.contains("Not a directory"), "{said}");
}

#[test]
fn all_that_is_wrong_with_the_settings_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("detective.toml");
    std::fs::write(&config, "[sweep]\nintervall = '1s'\n[alarm]\nsweeps_of_three = 4\n[learn]\nsnapshots = 'many'")
        .unwrap();
    let output = output(&["doctor", "--config", config.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    for wanted in [
        "sweep.intervall",
        "did you mean `sweep.interval`",
        "alarm.sweeps_of_three",
        "1 to 3",
        "learn.snapshots",
        "many",
    ] {
        assert!(said.contains(wanted), "expected `{wanted}` in:\n{said}");
    }
}

#[test]
fn two_detectives_do_not_share_a_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let up = crate::running::Up::start(folder.path());
    up.wait_for("/livez", |status, _| status == 200);
    let data = folder.path().to_str().unwrap();
    check_failure(
        &["up", "--data", data, "--listen", "127.0.0.1:0"],
        folder.path(),
        expect![[r#"
        error: another `detective up` uses the data directory `FOLDER`
        hint: end it, or choose another directory with `--data DIR`
    "#]],
    );
}

#[test]
fn a_baseline_without_a_detective_is_told_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = output(&["baseline", "--for", "10m", "--listen", &free, "--data", folder.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("error: no detective answers at http://{free}/api/baseline")), "{said}");
    assert!(said.contains("hint: start one with `detective up`"), "{said}");
}

#[test]
fn doctor_tells_what_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(&["doctor", "--data", folder.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for wanted in ["processes", "cpu_pct", "blocked_ms", "no detective has kept data"] {
        assert!(said.contains(wanted), "expected `{wanted}` in:\n{said}");
    }
}

#[test]
fn help_has_examples() {
    let commands = ["up", "alerts", "explain", "baseline", "evaluate"];
    for args in [vec!["--help"]].into_iter().chain(commands.map(|command| vec![command, "--help"])) {
        let output = output(&args);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(said.contains("Example"), "{args:?} says:\n{said}");
    }
}
