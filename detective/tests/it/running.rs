//! A detective that runs, as a real process of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use schemas::RootCauseEvent;

/// Longer than anything here takes on a busy machine: a test that waits for so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The command, with no settings from outside.
pub fn detective(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detective"));
    command.args(args).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn output(args: &[&str]) -> Output {
    detective(args).output().unwrap()
}

static WATCHING: Mutex<()> = Mutex::new(());

/// Those who watch this host do so one after another: side by side each would be the others' trouble.
pub fn alone() -> MutexGuard<'static, ()> {
    // A test that failed has ended what it started.
    WATCHING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `detective up --json`, ended by force when dropped.
pub struct Up {
    process: Script,
    pub address: SocketAddr,
    events: Events,
    _alone: MutexGuard<'static, ()>,
}

impl Up {
    /// Starts one that looks ten times a second and learns from a few snapshots.
    pub fn start(data: &Path) -> Up {
        let _alone = alone();
        let address = free_address();
        let data = data.to_str().unwrap();
        let args =
            ["up", "--json", "--interval", "100ms", "--learn", "20", "--data", data, "--listen", &address.to_string()];
        let mut process = detective(&args)
            // What is tested here is not how well a model fits.
            .env("DETECTIVE__TRAINING__EPOCHS", "5")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let events = Events::of(process.stdout.take().unwrap());
        Up { process: Script(process), address, events, _alone }
    }

    /// Waits until it says that it scores.
    pub fn wait_until_ready(&self) {
        self.wait_for("/readyz", |status, _| status == 200);
    }

    /// Asks a path again and again until the answer is as wanted.
    pub fn wait_for(&self, path: &str, is_wanted: impl Fn(u16, &str) -> bool) -> String {
        wait_for(self.address, path, is_wanted)
    }

    /// The next event that is as wanted; others are passed over.
    pub fn event(&self, is_wanted: impl Fn(&RootCauseEvent) -> bool) -> RootCauseEvent {
        self.events.next(is_wanted)
    }

    /// SIGKILL.
    pub fn kill(self) {
        drop(self.process);
    }

    /// SIGTERM, and how it ended and after how long.
    pub fn terminate(mut self) -> (Option<i32>, Duration) {
        self.process.terminate()
    }
}

/// An address where nobody listens.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Asks a path again and again until the answer is as wanted.
pub fn wait_for(address: SocketAddr, path: &str, is_wanted: impl Fn(u16, &str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let answer = get(address, path);
        match answer {
            Some((status, body)) if is_wanted(status, &body) => return body,
            _ if begun.elapsed() > PATIENCE => panic!("{path} still answers {answer:?}"),
            _ => std::thread::park_timeout(Duration::from_millis(50)),
        }
    }
}

/// The events that a process prints, as JSON lines.
pub struct Events(Receiver<String>);

impl Events {
    /// Those on a standard output.
    pub fn of(stdout: ChildStdout) -> Events {
        let (sender, events) = channel();
        let lines = BufReader::new(stdout).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Events(events)
    }

    /// The next event that is as wanted; others are passed over.
    pub fn next(&self, is_wanted: impl Fn(&RootCauseEvent) -> bool) -> RootCauseEvent {
        let begun = Instant::now();
        loop {
            let line = self.0.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())).expect("an event in time");
            let event: RootCauseEvent = serde_json::from_str(&line).expect("standard output carries events alone");
            if is_wanted(&event) {
                return event;
            }
        }
    }
}

/// A status and a body, if something answers.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: x\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

/// A child of ours, ended by force when dropped.
pub struct Script(pub Child);

impl Script {
    /// A shell script.
    pub fn shell(script: &str) -> Script {
        Script(Command::new("sh").args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    pub fn pid(&self) -> i64 {
        i64::from(self.0.id())
    }

    /// SIGTERM, and how it ended and after how long.
    pub fn terminate(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        (self.0.wait().unwrap().code(), begun.elapsed())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
