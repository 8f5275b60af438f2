//! Child processes, and helpers to inspect snapshots.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use producer::{Producer, SweepConfig, Sweeper};
use schemas::{Edge, GraphSnapshot, Node};

/// A child process that is killed when dropped.
pub struct ChildGuard(pub Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl ChildGuard {
    /// Starts a command without input and output.
    pub fn start(command: &mut Command) -> ChildGuard {
        ChildGuard(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Starts a shell script and waits until it prints `ready`. The script can wait for
    /// [`send_line`] on its standard input.
    pub fn ready(script: &str) -> (ChildGuard, ChildStdin) {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = shell.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        let input = child.stdin.take().unwrap();
        (ChildGuard(child), input)
    }

    pub fn pid(&self) -> i64 {
        i64::from(self.0.id())
    }
}

/// Sends a line to a script that waits for its input.
pub fn send_line(input: &mut ChildStdin) {
    input.write_all(b"\n").unwrap();
}

pub fn producer() -> Producer {
    Producer { host: "host".into(), cohort: "cohort".into(), sweep: SweepConfig::default(), own_paths: Vec::new() }
}

pub fn sweeper() -> Sweeper {
    Sweeper::new(producer()).unwrap()
}

/// Sweeps until `find` returns a value, for about ten seconds at most.
pub fn sweep_until<T>(sweeper: &mut Sweeper, mut find: impl FnMut(&GraphSnapshot) -> Option<T>) -> (GraphSnapshot, T) {
    for _ in 0..200 {
        let snapshot = sweeper.sweep().unwrap();
        if let Some(found) = find(&snapshot) {
            return (snapshot, found);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the expected state did not appear");
}

pub fn process(snapshot: &GraphSnapshot, pid: i64) -> Option<usize> {
    snapshot.nodes.iter().position(|node| node.kind == "process" && node.pid == Some(pid))
}

pub fn node_with_path(snapshot: &GraphSnapshot, path: &str) -> Option<usize> {
    snapshot.nodes.iter().position(|node| node.path.as_deref() == Some(path))
}

pub fn node(snapshot: &GraphSnapshot, at: usize) -> &Node {
    &snapshot.nodes[at]
}

pub fn value(snapshot: &GraphSnapshot, column: &str, at: usize) -> Option<f32> {
    snapshot.column(column).unwrap().value(at)
}

pub fn edge<'s>(snapshot: &'s GraphSnapshot, source: usize, kind: &str, target: usize) -> Option<&'s Edge> {
    snapshot
        .edges
        .iter()
        .find(|edge| edge.source as usize == source && edge.target as usize == target && edge.kind == kind)
}

/// Reason why the value of a node is missing, if it is.
pub fn missing<'s>(snapshot: &'s GraphSnapshot, column: &str, at: usize) -> Option<&'s str> {
    let missing = &snapshot.column(column).unwrap().missing;
    missing.iter().find(|missing| missing.nodes.contains(&(at as i32))).map(|missing| missing.reason.as_str())
}
