//! What `nobody` writes into its workload gives it no permission of root, which injects the fault.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output},
};

use serde_json::{Value, json};

use crate::processes::detective;

const UNPRIVILEGED: u32 = 65534;

/// A workload of `nobody` with a process that looks like a supervisor, killed when dropped.
struct Workload {
    parent: tempfile::TempDir,
    supervisor: Child,
}

impl Workload {
    fn start() -> Workload {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(0o755)).unwrap();
        let folder = parent.path().join("workload");
        fs::create_dir(&folder).unwrap();
        chown(&folder, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600; true", "/supervisor.py"]).arg(&folder);
        let supervisor = command.uid(UNPRIVILEGED).gid(UNPRIVILEGED).process_group(0).spawn().unwrap();
        Workload { parent, supervisor }
    }

    fn folder(&self) -> PathBuf {
        self.parent.path().join("workload")
    }

    /// Writes a valid state file in which one value is replaced.
    fn write_state(&self, pointer: &str, value: Value) {
        let folder = self.folder();
        let pid = self.supervisor.id();
        let mut state = json!({
            "pid": pid, "disk_users": [],
            "components": [{"name": "web-1", "role": "worker", "pid": pid, "endpoint": "127.0.0.1:1"}],
            "log": {"path": folder.join("log/audit.log"), "users": ["worker"]},
            "ledger": {"path": folder.join("ledger.dat"), "users": ["worker"]},
            "spool": {"path": folder.join("spool"), "users": ["worker"], "is_mounted": false},
            "postgres": {"endpoint": "127.0.0.1:1", "name": "shop", "user": "shop", "table": "stock"},
        });
        *state.pointer_mut(pointer).unwrap() = value;
        let file = folder.join("workload.json");
        fs::write(&file, state.to_string()).unwrap();
        chown(&file, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
    }

    /// A `psql` that writes its user and its input to a file beside it, and where that file is.
    fn install_psql(&self) -> PathBuf {
        let folder = self.parent.path().join("bin");
        let log = folder.join("log");
        fs::create_dir(&folder).unwrap();
        let script = format!("#!/bin/sh\nexec >{} 2>&1\nid -u\nenv\nhead -n 3\n", log.display());
        fs::write(folder.join("psql"), script).unwrap();
        fs::set_permissions(folder.join("psql"), Permissions::from_mode(0o755)).unwrap();
        fs::write(&log, "").unwrap();
        fs::set_permissions(&log, Permissions::from_mode(0o666)).unwrap();
        log
    }

    fn inject(&self, fault: &str) -> Output {
        let path = format!("{}:{}", self.parent.path().join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = detective(&["fault", "start", fault, "--json", "--after", "0s", "--for", "1s"]);
        command.env("DETECTIVE_WORKLOAD", self.folder()).env("PATH", path).env("PGPASSWORD", "secret");
        command.env("TMPDIR", self.parent.path()).output().unwrap()
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.supervisor);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.supervisor.wait();
    }
}

#[test]
#[ignore = "needs root"]
fn a_table_that_is_no_identifier_is_not_sent_to_psql() {
    let workload = Workload::start();
    let log = workload.install_psql();
    workload.write_state("/postgres/table", json!("stock;\n\\! id\n"));
    let output = workload.inject("row-lock");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.contains("expected a plain SQL identifier"), "{stderr}");
    assert_eq!(fs::read_to_string(log).unwrap(), "");
}

#[test]
#[ignore = "needs root"]
fn psql_runs_as_the_owner_of_the_workload_without_the_environment_of_root() {
    let workload = Workload::start();
    let log = workload.install_psql();
    workload.write_state("/postgres/table", json!("stock"));
    workload.inject("table-lock");
    let log = fs::read_to_string(log).unwrap();
    assert!(log.starts_with("65534\n") && log.contains("LOCK TABLE :\"table\""), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
#[ignore = "needs root"]
fn a_link_to_a_file_of_root_is_not_opened() {
    let workload = Workload::start();
    let private = workload.parent.path().join("private");
    fs::create_dir(&private).unwrap();
    fs::write(private.join("audit.log"), "precious").unwrap();
    fs::set_permissions(private.join("audit.log"), Permissions::from_mode(0o600)).unwrap();
    symlink(&private, workload.folder().join("log")).unwrap();
    workload.write_state("/disk_users", json!([]));
    let output = workload.inject("flock");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.contains("Permission denied"), "{stderr}");
    assert!(output.stdout.is_empty(), "the fault began");
}

#[test]
#[ignore = "needs root"]
fn a_process_of_root_is_no_component() {
    let workload = Workload::start();
    workload.write_state("/components/0/pid", json!(std::process::id()));
    let output = workload.inject("stopped-worker");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.contains("requires a workload with a worker"), "{stderr}");
}

#[test]
#[ignore = "needs root"]
fn a_file_that_a_fault_creates_for_the_workload_belongs_to_its_owner() {
    let workload = Workload::start();
    let log = workload.folder().join("log");
    fs::create_dir(&log).unwrap();
    fs::write(log.join("audit.log"), "").unwrap();
    [&log, &log.join("audit.log")]
        .into_iter()
        .for_each(|path| chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap());
    workload.write_state("/disk_users", json!([]));
    let output = workload.inject("lock-chain");
    let truth: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(truth["path"], json!(workload.folder().canonicalize().unwrap().join("archive.dat")));
    assert!(output.status.success() && !Path::new(truth["path"].as_str().unwrap()).exists());
}
