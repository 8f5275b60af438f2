//! A recording gives the same snapshots again without the host.

use std::{
    io::{Cursor, Write},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use hostread::{HostReadError, Tape};
use producer::{Playback, Producer, ProducerError, Sweeper};
use schemas::{
    GraphSnapshot, RawRead,
    container::{Reader, Writer},
};

use crate::children::*;

/// A file that can be read while it is written.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    /// Its content so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Makes that many sweeps and records them.
fn record(producer: Producer, sweeps: usize) -> (Vec<GraphSnapshot>, Vec<u8>) {
    let file = Shared::default();
    let tape = Tape::record_to(Box::new(file.clone())).unwrap();
    let mut sweeper = Sweeper::with_tape(producer, tape.clone()).unwrap();
    let snapshots = (0..sweeps).map(|_| sweeper.sweep().unwrap()).collect();
    let bytes = file.bytes();
    assert_eq!(tape.complete_bytes(), bytes.len() as u64, "every sweep is in the file when it is over");
    (snapshots, bytes)
}

fn play_back(recording: Vec<u8>) -> Result<Playback, ProducerError> {
    Playback::from_tape(Tape::play_from(Cursor::new(recording))?)
}

fn reads(recording: &[u8]) -> Vec<RawRead> {
    let mut reader = Reader::<RawRead, _>::open(Cursor::new(recording)).unwrap();
    let mut reads = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        reads.extend(reader.records(&block).map(|read| read.unwrap().1));
    }
    reads
}

fn written(reads: &[RawRead]) -> Vec<u8> {
    let file = Shared::default();
    let mut writer = Writer::create(file.clone()).unwrap();
    reads.iter().for_each(|read| writer.append(read).unwrap());
    writer.finish_block().unwrap();
    file.bytes()
}

#[track_caller]
fn assert_same(recorded: &[GraphSnapshot], recording: Vec<u8>) {
    let mut played = play_back(recording).unwrap();
    for snapshot in recorded {
        let again = played.next().unwrap().unwrap();
        assert!(schemas::encode(&again).unwrap() == schemas::encode(snapshot).unwrap(), "sweep {}", snapshot.sequence);
    }
    assert!(played.next().is_none() && played.next().is_none());
}

#[test]
fn playback_gives_the_same_snapshots_byte_for_byte() {
    let (_child, _input) = ChildGuard::ready("exec flock --no-fork /tmp sh -c 'echo ready; read line'");
    let (snapshots, recording) = record(producer(), 3);
    assert_same(&snapshots, recording);
}

#[test]
fn short_lived_processes_do_not_disturb_a_sweep() {
    let script = "echo ready; while :; do sh -c 'sleep .01 | flock /tmp cat' & flock -n /tmp true; wait; done";
    let (_child, _input) = ChildGuard::ready(script);
    let (snapshots, recording) = record(producer(), 40);
    // Most ended before they were shown. Kernel threads have no executable.
    let is_executable = |read: &RawRead| read.question == "link" && read.name.ends_with("/exe");
    let executables = reads(&recording).into_iter().filter(is_executable).map(|read| read.name);
    let identified: std::collections::HashSet<_> = executables.collect();
    let shown = snapshots[0].nodes.iter().filter(|node| node.kind == "process").count();
    assert!(identified.len() > shown + 10, "{} processes, {shown} shown", identified.len());
    assert_same(&snapshots, recording);
}

#[test]
fn a_recording_carries_its_settings() {
    let mut producer = producer();
    producer.sweep.interval = Duration::from_millis(70);
    let own = tempfile::tempdir().unwrap();
    let path = own.path().join("data");
    producer.own_paths = vec![path.clone()];
    let (_child, _input) = ChildGuard::ready(&format!("exec 9>{}; echo ready; read line", path.display()));
    let (snapshots, recording) = record(producer, 2);
    // Deleted files would have no real path.
    drop(own);
    assert_eq!((snapshots[0].interval_ms, snapshots[0].cohort.as_str()), (70, "cohort"));
    assert_eq!(node_with_path(&snapshots[0], path.to_str().unwrap()), None);
    assert_same(&snapshots, recording);
}

#[test]
fn a_truncated_recording_gives_its_complete_sweeps() {
    let (snapshots, recording) = record(producer(), 3);
    let reads = reads(&recording);
    let last = reads
        .iter()
        .rposition(|read| matches!(read.question.as_str(), "open" | "enter") && read.name == "/proc/1")
        .unwrap();
    let mut played = play_back(written(&reads[..last])).unwrap();
    for snapshot in &snapshots[..2] {
        assert!(played.next().unwrap().unwrap() == *snapshot);
    }
    assert!(matches!(played.next(), Some(Err(ProducerError::Host(HostReadError::TruncatedTape)))));
    assert!(played.next().is_none());
    assert!(matches!(play_back(written(&reads[..2])).err(), Some(ProducerError::Host(HostReadError::TruncatedTape))));
    assert!(matches!(play_back(written(&[])).err(), Some(ProducerError::Host(HostReadError::EndOfTape))));
}

#[test]
fn a_recording_of_another_version_is_reported() {
    let (_, recording) = record(producer(), 1);
    let mut reads = reads(&recording);
    let at = reads.iter().position(|read| read.name.ends_with("/statm")).unwrap();
    let asked = reads[at].name.clone();
    reads[at].name = asked.replace("statm", "smaps");
    let error = play_back(written(&reads)).unwrap().next().unwrap().unwrap_err();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "the recording of raw reads, made by version {version}, does not fit version {version}: expected the answer to `read {asked}`, found the answer to `read {}`",
        reads[at].name
    );
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("version"));
    let without_settings = play_back(written(&reads[1..])).err().unwrap();
    assert!(
        matches!(&without_settings, ProducerError::Host(HostReadError::TapeMismatch { expected, .. }) if expected == "producer")
    );
    reads[0].bytes = b"{\"version\":\"9\"}".to_vec();
    let unknown_settings = play_back(written(&reads)).err().unwrap();
    assert!(matches!(&unknown_settings, ProducerError::NoSettings { reason } if reason.contains("host")));
    assert!(unknown_settings.hint().is_some());
}

#[test]
fn a_recording_holds_no_arguments_and_no_environment() {
    const SECRETS: [&str; 4] = ["sesame-argument", "sesame-option", "sesame-environment", "sesame-script"];
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("sesame-script").join("job.sh");
    std::fs::create_dir(script.parent().unwrap()).unwrap();
    std::fs::write(&script, "kill -STOP $$\n").unwrap();
    let mut shell = Command::new("sh");
    shell.arg(&script).args(["sesame-argument", "--password=sesame-option"]).env("TOKEN", "sesame-environment");
    let shell = ChildGuard::start(&mut shell);
    let stopped = |snapshot: &GraphSnapshot| {
        let at = process(snapshot, shell.pid())?;
        (value(snapshot, "stopped", at) == Some(1.0)).then_some(at)
    };
    // The shell has its script open, so that path is shown as for any file; the words of its
    // command line are not.
    sweep_until(&mut sweeper(), stopped);
    let (snapshots, recording) = record(producer(), 2);
    let at = process(&snapshots[1], shell.pid()).unwrap();
    assert!(node(&snapshots[1], at).role.ends_with(" job.sh"), "{}", node(&snapshots[1], at).role);
    for read in reads(&recording).iter().filter(|read| read.question != "link") {
        let text = format!("{}{}", read.name, String::from_utf8_lossy(&read.bytes));
        let leaked: Vec<_> = SECRETS.iter().filter(|secret| text.contains(**secret)).collect();
        assert!(leaked.is_empty(), "`{} {}` contains {leaked:?}", read.question, read.name);
    }
}
