//! `detective up` while it watches: its events, and what it answers.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{http::get, scoped_child::ScopedChild, time::pause as wait};

/// From the last learned snapshot to the first scored one, on a busy machine.
const TRAINING: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(250);
/// An incident is over sooner than by default, so that there is less to wait for between two faults.
const QUIET_SWEEPS: &str = "5";

/// A program that watches this host, with the events that it has printed so far.
pub struct Watched {
    up: ScopedChild,
    api: SocketAddr,
    arrivals: Receiver<(Instant, Value)>,
    events: Vec<(Instant, Value)>,
}

impl Watched {
    /// Starts it with its data, and what it says, in a folder.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn start(program: &Path, folder: &Path, learn: u32) -> anyhow::Result<Watched> {
        let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?.local_addr()?;
        let mut command = ScopedChild::command(program);
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.as_encoded_bytes().starts_with(b"DETECTIVE__")) {
            command.env_remove(key);
        }
        command.args(["up", "--json", "--listen", &api.to_string(), "--learn", &learn.to_string(), "--data"]);
        command.arg(folder.join("data")).env("DETECTIVE__ALARM__QUIET_SWEEPS", QUIET_SWEEPS).env("NO_COLOR", "1");
        let log = File::create(folder.join("up.log")).context("cannot write `up.log`")?;
        let mut up = ScopedChild::start("detective up", command.stdout(Stdio::piped()).stderr(log))?;
        let said = up.take_stdout().context("`up` has no standard output")?;
        let (sender, arrivals) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::Null);
                let _ = sender.send((Instant::now(), event));
            }
        });
        Ok(Watched { up, api, arrivals, events: Vec::new() })
    }

    /// Waits until it scores.
    ///
    /// # Errors
    /// If it does not within the time that learning takes and some more, or ends.
    pub fn await_ready(&mut self, learning: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !get(self.api, "/readyz").is_ok_and(|(status, _)| status == 200) {
            if let Some(status) = self.up.exit_status()? {
                bail!("`detective up` ended with {status}");
            }
            ensure!(begun.elapsed() < learning + TRAINING, "`detective up` was not ready in time");
            wait(PAUSE);
        }
        Ok(())
    }

    /// Waits until no incident goes on, for a limited time; whether that is so.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn await_quiet(&self, patience: Duration) -> anyhow::Result<bool> {
        let begun = Instant::now();
        while self.incidents_open()? > 0 {
            if begun.elapsed() > patience {
                return Ok(false);
            }
            wait(PAUSE);
        }
        Ok(true)
    }

    fn incidents_open(&self) -> anyhow::Result<usize> {
        let answer = self.ask("/api/incidents")?;
        let incidents = answer["incidents"].as_array().context("no incidents in the answer")?;
        Ok(incidents.iter().filter(|incident| incident["state"] != "resolved").count())
    }

    /// What it answers to a question.
    ///
    /// # Errors
    /// If that is no JSON.
    pub fn ask(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = get(self.api, path).with_context(|| format!("`detective up` does not answer `{path}`"))?;
        serde_json::from_str(&body).with_context(|| format!("`{path}` answers {status}: {body}"))
    }

    /// The events that came since then, each with how many seconds after.
    pub fn events_since(&mut self, since: Instant) -> Vec<(f64, Value)> {
        self.events.extend(self.arrivals.try_iter());
        let later = self.events.iter().filter_map(|(at, event)| Some((at.checked_duration_since(since)?, event)));
        later.map(|(after, event)| (after.as_secs_f64(), event.clone())).collect()
    }
}
