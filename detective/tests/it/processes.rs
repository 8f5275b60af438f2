//! Runs `detective` and other programs as child processes.

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

use rustix::process::{Pid, Signal, kill_process};
use schemas::RootCauseEvent;

/// Longer than anything here takes on a busy machine: a test that waits for so long has failed.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// The command `detective`.
pub fn detective(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detective"));
    command.args(args).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs `detective` to its end.
pub fn output(args: &[&str]) -> Output {
    detective(args).output().unwrap()
}

static HOST: Mutex<()> = Mutex::new(());

/// Tests that watch this host run one after another: each would alarm the others.
pub fn lock_host() -> MutexGuard<'static, ()> {
    // A test that panics ends its processes too.
    HOST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `detective up --json`, killed when dropped.
pub struct UpProcess {
    process: ScopedChild,
    pub address: SocketAddr,
    events: Events,
    _host: MutexGuard<'static, ()>,
}

impl UpProcess {
    /// Starts one that sweeps ten times a second and learns from a few snapshots.
    pub fn start(data: &Path) -> UpProcess {
        UpProcess::start_with(data, "20")
    }

    /// Starts one that learns from this many snapshots.
    pub fn start_with(data: &Path, learn: &str) -> UpProcess {
        let _host = lock_host();
        let address = free_address();
        let data = data.to_str().unwrap();
        let args =
            ["up", "--json", "--interval", "100ms", "--learn", learn, "--data", data, "--listen", &address.to_string()];
        let mut process = detective(&args)
            // How well a model fits does not matter here.
            .env("DETECTIVE__TRAINING__EPOCHS", "5")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let events = Events::read_from(process.stdout.take().unwrap());
        UpProcess { process: ScopedChild(process), address, events, _host }
    }

    /// Waits until it is scoring.
    pub fn wait_until_ready(&self) {
        self.wait_for("/readyz", |status, _| status == 200);
    }

    /// Requests a path until the response is wanted, and returns its body.
    pub fn wait_for(&self, path: &str, is_wanted: impl Fn(u16, &str) -> bool) -> String {
        wait_for(self.address, path, is_wanted)
    }

    /// Waits for a wanted event, and skips all others.
    pub fn event(&self, is_wanted: impl Fn(&RootCauseEvent) -> bool) -> RootCauseEvent {
        self.events.next(is_wanted)
    }

    /// Sends SIGKILL.
    pub fn kill(self) {
        drop(self.process);
    }

    /// Sends SIGTERM, and returns the exit status and the time until the end.
    pub fn terminate(mut self) -> (Option<i32>, Duration) {
        self.process.terminate()
    }
}

/// A loopback address that no process listens on.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Requests a path until the response is wanted, and returns its body.
pub fn wait_for(address: SocketAddr, path: &str, is_wanted: impl Fn(u16, &str) -> bool) -> String {
    let started = Instant::now();
    loop {
        let response = get(address, path);
        match response {
            Some((status, body)) if is_wanted(status, &body) => return body,
            _ if started.elapsed() > TIMEOUT => panic!("{path} still returns {response:?}"),
            _ => std::thread::park_timeout(Duration::from_millis(50)),
        }
    }
}

/// The events that a process prints, as JSON lines.
pub struct Events(Receiver<String>);

impl Events {
    /// Reads the standard output of a process on a thread.
    pub fn read_from(stdout: ChildStdout) -> Events {
        let (sender, events) = channel();
        let lines = BufReader::new(stdout).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Events(events)
    }

    /// Waits for a wanted event, and skips all others.
    pub fn next(&self, is_wanted: impl Fn(&RootCauseEvent) -> bool) -> RootCauseEvent {
        let started = Instant::now();
        loop {
            let line = self.0.recv_timeout(TIMEOUT.saturating_sub(started.elapsed())).expect("an event in time");
            let event: RootCauseEvent = serde_json::from_str(&line).expect("nothing but events on standard output");
            if is_wanted(&event) {
                return event;
            }
        }
    }
}

/// Status and body of a response, if there is one.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let status = response.split(' ').nth(1)?.parse().ok()?;
    Some((status, response.split_once("\r\n\r\n")?.1.to_owned()))
}

/// A child process, killed when dropped.
pub struct ScopedChild(pub Child);

impl ScopedChild {
    /// Starts a shell script.
    pub fn shell(script: &str) -> ScopedChild {
        ScopedChild(Command::new("sh").args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    pub fn pid(&self) -> i64 {
        i64::from(self.0.id())
    }

    /// Sends SIGTERM, and returns the exit status and the time until the end.
    pub fn terminate(&mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        (self.0.wait().unwrap().code(), started.elapsed())
    }
}

impl Drop for ScopedChild {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
