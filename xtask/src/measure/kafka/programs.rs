//! The programs of one measurement, with their settings and logs.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{http, kafka::Kafka, measure::scratch, scoped_child::ScopedChild};

/// From the last learned snapshot to the first scored one: training, on a busy machine.
const TRAINING_TIMEOUT: Duration = Duration::from_secs(300);
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How many lines of a log an error quotes.
const QUOTED_LINES: usize = 6;

/// Programs that share settings and topics of their own.
pub struct Programs {
    release: PathBuf,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    api: SocketAddr,
    running: Vec<ScopedChild>,
}

impl Programs {
    /// Creates the topics. Their prefix contains the name of the measurement.
    ///
    /// # Errors
    /// If the topics cannot be created.
    pub fn prepare(release: &Path, kafka: &Kafka, name: &str, learn: u32) -> anyhow::Result<Programs> {
        let folder = scratch::create(&format!("measure-kafka-{name}"))?;
        let api = http::free_address()?;
        let settings = [
            ("BUS__KIND", "kafka".to_owned()),
            ("BUS__PATH", folder.join("data").to_string_lossy().into_owned()),
            ("BUS__KAFKA__BROKERS", kafka.address.clone()),
            ("BUS__KAFKA__PREFIX", format!("measure-{name}-{}.", std::process::id())),
            ("LEARN__SNAPSHOTS", learn.to_string()),
            ("API__LISTEN", api.to_string()),
        ];
        let settings = settings.map(|(key, value)| (key.to_owned(), value)).into();
        let mut programs = Programs { release: release.to_owned(), folder, settings, api, running: Vec::new() };
        programs.run_to_end("detective", &["topics", "apply"])?;
        Ok(programs)
    }

    /// Sets a setting of the programs that are started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Starts a program.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn start(&mut self, program: &str) -> anyhow::Result<()> {
        let mut command = self.command(program, &[])?;
        self.running.push(ScopedChild::start(program, command.stdout(Stdio::null()))?);
        Ok(())
    }

    /// Starts `detective alerts`, which prints each event as a line of JSON when it arrives.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn follow_alerts(&mut self) -> anyhow::Result<ChildStdout> {
        let mut command = self.command("detective", &["alerts", "--follow", "--json"])?;
        let mut alerts = ScopedChild::start("detective", command.stdout(Stdio::piped()))?;
        let events = alerts.take_stdout().context("`detective alerts` has no standard output")?;
        self.running.push(alerts);
        Ok(events)
    }

    /// The folder of the logs; it is removed when the programs end.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until the scorer scores.
    ///
    /// # Errors
    /// If it does not within the time of learning and [`TRAINING_TIMEOUT`], or a program ends.
    pub fn wait_until_ready(&mut self, learning: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        let timeout = learning + TRAINING_TIMEOUT;
        while !http::get(self.api, "/readyz").is_ok_and(|(status, _)| status == 200) {
            self.check_all_run()?;
            let folder = self.folder.display();
            ensure!(start.elapsed() < timeout, "no snapshot was scored within {timeout:?}; logs are in `{folder}`");
            std::thread::park_timeout(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Checks that all programs still run.
    ///
    /// # Errors
    /// If one has ended; the error quotes its log.
    pub fn check_all_run(&mut self) -> anyhow::Result<()> {
        for program in &mut self.running {
            if let Some(status) = program.exit_status()? {
                let name = program.name.clone();
                bail!("`{name}` ended with {status}: {}", self.last_log_lines(&name));
            }
        }
        Ok(())
    }

    /// The peak resident memory of a program, in megabytes.
    ///
    /// # Errors
    /// If it does not run.
    pub fn peak_rss_mb(&self, name: &str) -> anyhow::Result<f64> {
        let program = self.running.iter().find(|program| program.name == name);
        program.with_context(|| format!("`{name}` was not started"))?.peak_rss_mb()
    }

    /// The number of nodes in the latest snapshot of a host; without a name, of the only host.
    ///
    /// # Errors
    /// If the scorer's response has no nodes.
    pub fn node_count(&self, host: Option<&str>) -> anyhow::Result<usize> {
        let path = host.map_or("/api/graph".to_owned(), |host| format!("/api/graph?host={host}"));
        let token = self.folder.join("data/api.token");
        let token = std::fs::read_to_string(&token).with_context(|| format!("cannot read `{}`", token.display()))?;
        let (status, body) =
            http::get_with_token(self.api, &path, token.trim_end()).with_context(|| format!("cannot get `{path}`"))?;
        let graph: Value =
            serde_json::from_str(&body).with_context(|| format!("`{path}` returned {status}: {body}"))?;
        Ok(graph["nodes"].as_array().with_context(|| format!("`{path}` returned {status} without nodes"))?.len())
    }

    /// Ends all programs and removes their folder.
    ///
    /// # Errors
    /// If a program has ended before, or the folder cannot be removed.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.check_all_run()?;
        self.running.clear();
        scratch::remove(&self.folder)
    }

    fn run_to_end(&mut self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let mut command = self.command(program, args)?;
        let status = command.stdout(Stdio::null()).status().with_context(|| format!("cannot run `{program}`"))?;
        let log = || self.last_log_lines(program);
        ensure!(status.success(), "`{program} {}` ended with {status}: {}", args.join(" "), log());
        Ok(())
    }

    fn command(&self, program: &str, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = ScopedChild::command(self.release.join(program));
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.as_encoded_bytes().starts_with(b"DETECTIVE__")) {
            command.env_remove(key);
        }
        command.args(args).env("NO_COLOR", "1");
        command.envs(self.settings.iter().map(|(key, value)| (format!("DETECTIVE__{key}"), value)));
        let path = self.log_path(program);
        let log = File::options().create(true).append(true).open(&path);
        command.stderr(log.with_context(|| format!("cannot write `{}`", path.display()))?);
        Ok(command)
    }

    fn log_path(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.log"))
    }

    fn last_log_lines(&self, program: &str) -> String {
        let log = std::fs::read_to_string(self.log_path(program)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n  ")
    }
}
