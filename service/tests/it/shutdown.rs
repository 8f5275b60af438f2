//! Signals, to a process of its own.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

const CHILD: &str = "SERVICE_TEST_WAITS";
const OURS: &str = "child: ";

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{OURS}{text}").unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn a_signal_cancels_and_an_interrupt_after_it_ends_at_once() {
    if std::env::var_os(CHILD).is_some() {
        let token = service::shutdown::on_signal().unwrap();
        say("waiting");
        token.cancelled().await;
        say("cancelled");
        return std::future::pending().await;
    }
    for (first, between) in [(Signal::INT, None), (Signal::TERM, None), (Signal::INT, Some(Signal::TERM))] {
        let mut waiting = Waiting::start();
        waiting.signal(first);
        assert_eq!(waiting.said(), "cancelled");
        if let Some(signal) = between {
            waiting.signal(signal);
        }
        waiting.signal(Signal::INT);
        assert_eq!(waiting.end().code(), Some(130));
    }
}

/// This very test in a process of its own, which has taken over its signals.
struct Waiting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Waiting {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shutdown::a_signal_cancels_and_an_interrupt_after_it_ends_at_once", "--nocapture"])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut waiting = Waiting { child, lines };
        assert_eq!(waiting.said(), "waiting");
        waiting
    }

    fn said(&mut self) -> String {
        let mut said = self.lines.by_ref().filter_map(|line| Some(line.unwrap().split_once(OURS)?.1.to_owned()));
        said.next().expect("the child ended by itself")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}
