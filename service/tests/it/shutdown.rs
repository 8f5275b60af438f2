//! Signals, sent to a child process.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// Set in the child process.
const IS_CHILD: &str = "SERVICE_TEST_WAITS";
/// Begins the child's own lines, among those of the test harness.
const LINE_PREFIX: &str = "child: ";

fn print_line(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{LINE_PREFIX}{text}").unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn the_first_signal_cancels_the_token_and_a_later_interrupt_ends_the_process() {
    if std::env::var_os(IS_CHILD).is_some() {
        let token = service::shutdown::on_signal().unwrap();
        print_line("waiting");
        token.cancelled().await;
        print_line("cancelled");
        return std::future::pending().await;
    }
    for (first, between) in [(Signal::INT, None), (Signal::TERM, None), (Signal::INT, Some(Signal::TERM))] {
        let mut child = WaitingChild::start();
        child.signal(first);
        assert_eq!(child.next_line(), "cancelled");
        if let Some(signal) = between {
            child.signal(signal);
        }
        child.signal(Signal::INT);
        assert_eq!(child.wait().code(), Some(130));
    }
}

/// This test in a child process that has installed its signal handlers.
struct WaitingChild {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl WaitingChild {
    fn start() -> Self {
        let test = "shutdown::the_first_signal_cancels_the_token_and_a_later_interrupt_ends_the_process";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(IS_CHILD, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut waiting = WaitingChild { child, lines };
        assert_eq!(waiting.next_line(), "waiting");
        waiting
    }

    fn next_line(&mut self) -> String {
        let own = |line: String| Some(line.split_once(LINE_PREFIX)?.1.to_owned());
        self.lines.by_ref().find_map(|line| own(line.unwrap())).expect("the child ended early")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}
