//! Snapshots into a file and back: what is recorded is replayed, in its rhythm, and is new to a scorer.

mod beside;
mod kafka;
mod raw;
mod record;
mod refused;
mod replay;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bus::{Bus, BusConfig, Delivery, Record};
use expect_test::Expect;
use rustix::process::{Pid, Signal, kill_process};
use schemas::{
    GraphSnapshot, Timestamp, Topic,
    container::{ContainerError, Reader, Writer},
};
use tempfile::TempDir;

use crate::running::{PATIENCE, Script, detective, output};

/// In the past, as a recording is.
const FIRST: i64 = 1_767_225_600_000;

/// A snapshot of a sweep that took 40 ms.
fn snapshot(host: &str, sequence: i64, after_ms: i64) -> GraphSnapshot {
    let node = |id: &str, kind: &str| schemas::Node {
        id: id.to_owned(),
        kind: kind.into(),
        role: format!("/usr/bin/{id}"),
        name: id.to_owned(),
        ..schemas::Node::default()
    };
    GraphSnapshot {
        host: host.to_owned(),
        cohort: if host.starts_with("web") { "web".to_owned() } else { host.to_owned() },
        boot_id: "b".to_owned(),
        run: "recorded".to_owned(),
        sequence,
        started_at: Timestamp(FIRST + after_ms - 40),
        ended_at: Timestamp(FIRST + after_ms),
        interval_ms: 1000,
        nodes: vec![node("a", "process"), node("b", "file")],
        edges: vec![schemas::Edge {
            source: 0,
            target: 1,
            kind: "opens".into(),
            basis: "observed".into(),
            blocked_ms: Some(0.25),
            ..schemas::Edge::default()
        }],
        ..GraphSnapshot::default()
    }
}

async fn open(data: &Path) -> Arc<dyn Bus> {
    bus::open(&BusConfig { path: data.to_owned(), ..BusConfig::default() }).await.unwrap()
}

async fn publish(data: &Path, snapshots: &[GraphSnapshot]) {
    let record = |snapshot: &GraphSnapshot| {
        let value = schemas::encode(snapshot).unwrap();
        Record::new(Topic::Snapshots, snapshot.host.clone(), value, snapshot.ended_at)
    };
    open(data).await.publish(snapshots.iter().map(record).collect(), None).await.unwrap();
}

/// What the snapshots topic holds.
async fn held(data: &Path) -> Vec<Delivery> {
    let mut held = Vec::new();
    bus::for_each(open(data).await.as_ref(), Topic::Snapshots, |delivery| held.push(delivery)).await.unwrap();
    held
}

fn decoded(delivery: &Delivery) -> GraphSnapshot {
    schemas::decode(&delivery.value).unwrap()
}

async fn snapshots(data: &Path) -> Vec<GraphSnapshot> {
    held(data).await.iter().map(decoded).collect()
}

/// The snapshots of a file.
fn read(file: &Path) -> Vec<GraphSnapshot> {
    try_read(file).unwrap()
}

/// The snapshots of a file that another process may be writing.
fn try_read(file: &Path) -> Result<Vec<GraphSnapshot>, ContainerError> {
    let mut reader = Reader::open(File::open(file)?)?;
    let mut read = Vec::new();
    while let Some(block) = reader.next_block()? {
        for record in reader.records(&block) {
            read.push(record?.1);
        }
    }
    Ok(read)
}

/// A file with a block for each of `blocks`.
fn write(file: &Path, blocks: &[&[GraphSnapshot]]) {
    let mut writer = Writer::create(File::create(file).unwrap()).unwrap();
    for block in blocks {
        block.iter().for_each(|snapshot| writer.append(snapshot).unwrap());
        writer.finish_block().unwrap();
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn arguments(&self, command: &str, file: &str, data: &str, flags: &[&str]) -> Vec<String> {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let mut arguments = vec![command.to_owned(), path(file), "--data".to_owned(), path(data)];
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        arguments
    }

    /// Starts a command that may go on for ever.
    fn start(&self, command: &str, file: &str, data: &str, flags: &[&str], stderr: impl Into<Stdio>) -> Script {
        let arguments = self.arguments(command, file, data, flags);
        Script(detective(&[]).args(arguments).stderr(stderr).spawn().unwrap())
    }

    /// Runs a command that succeeds, and returns what it says, without the folder's name.
    #[track_caller]
    fn run(&self, command: &str, file: &str, data: &str, flags: &[&str]) -> String {
        let (code, said) = self.try_run(command, file, data, flags);
        assert_eq!(code, Some(0), "{said}");
        said
    }

    fn try_run(&self, command: &str, file: &str, data: &str, flags: &[&str]) -> (Option<i32>, String) {
        let arguments = self.arguments(command, file, data, flags);
        let output = output(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.stdout.is_empty(), "standard output carries results alone");
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said.replace(self.0.path().to_str().unwrap(), "FOLDER"))
    }

    /// The error that a command ends with.
    #[track_caller]
    fn check_failure(&self, command: &str, file: &str, data: &str, flags: &[&str], expected: Expect) {
        let (code, said) = self.try_run(command, file, data, flags);
        assert_eq!(code, Some(1), "{said}");
        let error: String =
            said.lines().skip_while(|line| !line.starts_with("error:")).flat_map(|line| [line, "\n"]).collect();
        expected.assert_eq(&error);
    }
}

fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "what is replayed is of now")]
    Timestamp::from(SystemTime::now()).0
}

fn send(child: &Script, signal: Signal) {
    kill_process(Pid::from_child(&child.0), signal).unwrap();
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// With the times, the run and the number that a replay gives it.
fn as_replayed(recorded: &GraphSnapshot, replayed: &GraphSnapshot) -> GraphSnapshot {
    GraphSnapshot {
        run: replayed.run.clone(),
        sequence: replayed.sequence,
        started_at: replayed.started_at,
        ended_at: replayed.ended_at,
        ..recorded.clone()
    }
}
