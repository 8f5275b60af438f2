//! Tests of `detective record` and `detective replay`.

mod errors;
mod interoperability;
mod kafka;
mod raw_reads;
mod record;
mod replay;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{Bus, BusConfig, Delivery, Record};
use expect_test::Expect;
use rustix::process::{Pid, Signal, kill_process};
use schemas::{
    GraphSnapshot, Timestamp, Topic,
    container::{ContainerError, Reader, Writer},
};
use tempfile::TempDir;

use crate::processes::{ScopedChild, TIMEOUT, detective, output};

/// Time of the first recorded snapshot, in the past.
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

/// All records of the snapshots topic.
async fn deliveries(data: &Path) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    bus::for_each(open(data).await.as_ref(), Topic::Snapshots, |delivery| deliveries.push(delivery)).await.unwrap();
    deliveries
}

fn decode(delivery: &Delivery) -> GraphSnapshot {
    schemas::decode(&delivery.value).unwrap()
}

async fn snapshots(data: &Path) -> Vec<GraphSnapshot> {
    deliveries(data).await.iter().map(decode).collect()
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

/// Writes a recording with these blocks.
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

    /// Starts a command.
    fn start(&self, command: &str, file: &str, data: &str, flags: &[&str], stderr: impl Into<Stdio>) -> ScopedChild {
        let arguments = self.arguments(command, file, data, flags);
        ScopedChild(detective(&[]).args(arguments).stderr(stderr).spawn().unwrap())
    }

    /// Runs a command that succeeds, and returns its standard error. The path of the folder is
    /// replaced by `FOLDER`.
    #[track_caller]
    fn run(&self, command: &str, file: &str, data: &str, flags: &[&str]) -> String {
        let (code, stderr) = self.try_run(command, file, data, flags);
        assert_eq!(code, Some(0), "{stderr}");
        stderr
    }

    fn try_run(&self, command: &str, file: &str, data: &str, flags: &[&str]) -> (Option<i32>, String) {
        let arguments = self.arguments(command, file, data, flags);
        let output = output(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.stdout.is_empty(), "standard output is for results");
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), stderr.replace(self.0.path().to_str().unwrap(), "FOLDER"))
    }

    /// Checks the error of a command.
    #[track_caller]
    fn check_failure(&self, command: &str, file: &str, data: &str, flags: &[&str], expected: Expect) {
        let (code, stderr) = self.try_run(command, file, data, flags);
        assert_eq!(code, Some(1), "{stderr}");
        let error: String =
            stderr.lines().skip_while(|line| !line.starts_with("error:")).flat_map(|line| [line, "\n"]).collect();
        expected.assert_eq(&error);
    }
}

fn now() -> i64 {
    Timestamp::now().0
}

fn send(child: &ScopedChild, signal: Signal) {
    kill_process(Pid::from_child(&child.0), signal).unwrap();
}

/// Waits for a condition.
async fn wait_until(condition: &str, is_met: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !is_met().await {
        assert!(started.elapsed() < TIMEOUT, "{condition}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// `recorded` with the times, run and sequence number of `replayed`.
fn as_replayed(recorded: &GraphSnapshot, replayed: &GraphSnapshot) -> GraphSnapshot {
    GraphSnapshot {
        run: replayed.run.clone(),
        sequence: replayed.sequence,
        started_at: replayed.started_at,
        ended_at: replayed.ended_at,
        ..recorded.clone()
    }
}
