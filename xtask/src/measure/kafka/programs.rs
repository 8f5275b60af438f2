//! The programs of one measurement.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::{
    kafka::Kafka,
    measure::{api::get, empty_folder, remove_folder, tied::Tied},
};

/// From the last learned snapshot to the first scored one: a training, on a busy machine.
const TRAINING: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(250);

/// Programs that share settings, and topics that nobody else reads.
pub struct Programs {
    release: PathBuf,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    api: SocketAddr,
    running: Vec<Tied>,
}

impl Programs {
    /// Makes the topics. The name tells this measurement from the others.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn prepare(release: &Path, kafka: &Kafka, name: &str, learn: u32) -> anyhow::Result<Programs> {
        let folder = empty_folder(&format!("measure-kafka-{name}"))?;
        let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?.local_addr()?;
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

    /// A setting for those that are started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Starts one.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn start(&mut self, program: &str) -> anyhow::Result<()> {
        let mut command = self.command(program, &[])?;
        self.running.push(Tied::start(program, command.stdout(Stdio::null()))?);
        Ok(())
    }

    /// Starts one that prints events as JSON lines as soon as it can read them.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn follow_alerts(&mut self) -> anyhow::Result<ChildStdout> {
        let mut command = self.command("detective", &["alerts", "--follow", "--json"])?;
        let mut alerts = Tied::start("detective", command.stdout(Stdio::piped()))?;
        let events = alerts.stdout().context("`detective alerts` has no standard output")?;
        self.running.push(alerts);
        Ok(events)
    }

    /// Where what they say is kept until they are ended.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until the scorer scores.
    ///
    /// # Errors
    /// If it does not within the time that learning takes and some more, or a program ends.
    pub fn await_ready(&mut self, learning: Duration) -> anyhow::Result<()> {
        let (begun, patience) = (Instant::now(), learning + TRAINING);
        while !get(self.api, "/readyz").is_ok_and(|(status, _)| status == 200) {
            self.check()?;
            ensure!(begun.elapsed() < patience, "no snapshot was scored within {patience:?}; {}", self.logs());
            std::thread::park_timeout(PAUSE);
        }
        Ok(())
    }

    /// Sees that all run.
    ///
    /// # Errors
    /// With what the one said that does not.
    pub fn check(&mut self) -> anyhow::Result<()> {
        for program in &mut self.running {
            if let Some(status) = program.has_ended()? {
                let name = program.name.clone();
                bail!("`{name}` ended with {status}: {}", self.last_words(&name));
            }
        }
        Ok(())
    }

    /// The peak of a program of this name.
    ///
    /// # Errors
    /// If none runs.
    pub fn peak_rss_mb(&self, name: &str) -> anyhow::Result<f64> {
        let program = self.running.iter().find(|program| program.name == name);
        program.with_context(|| format!("`{name}` was not started"))?.peak_rss_mb()
    }

    /// How many nodes the newest snapshot of a host has; of any, if it has no name.
    ///
    /// # Errors
    /// If the scorer does not tell.
    pub fn nodes(&self, host: Option<&str>) -> anyhow::Result<usize> {
        let path = host.map_or("/api/graph".to_owned(), |host| format!("/api/graph?host={host}"));
        let (status, graph) = get(self.api, &path).with_context(|| format!("the scorer does not answer `{path}`"))?;
        let graph: Value =
            serde_json::from_str(&graph).with_context(|| format!("`{path}` answers {status}: {graph}"))?;
        Ok(graph["nodes"].as_array().with_context(|| format!("`{path}` answers {status}, with no nodes"))?.len())
    }

    /// Ends all, which must run until now, and removes what they left.
    ///
    /// # Errors
    /// If one had ended by itself, or something cannot be removed.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.check()?;
        self.running.clear();
        remove_folder(&self.folder)
    }

    fn run_to_end(&mut self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let mut command = self.command(program, args)?;
        let status = command.stdout(Stdio::null()).status().with_context(|| format!("cannot run `{program}`"))?;
        ensure!(status.success(), "`{program} {}` ended with {status}: {}", args.join(" "), self.last_words(program));
        Ok(())
    }

    fn command(&self, program: &str, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = Tied::command(self.release.join(program));
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.as_encoded_bytes().starts_with(b"DETECTIVE__")) {
            command.env_remove(key);
        }
        command.args(args).env("NO_COLOR", "1");
        command.envs(self.settings.iter().map(|(key, value)| (format!("DETECTIVE__{key}"), value)));
        let path = self.log(program);
        let log = File::options().create(true).append(true).open(&path);
        command.stderr(log.with_context(|| format!("cannot write `{}`", path.display()))?);
        Ok(command)
    }

    fn log(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.log"))
    }

    fn logs(&self) -> String {
        format!("what the programs say is in `{}`", self.folder.display())
    }

    fn last_words(&self, program: &str) -> String {
        let said = std::fs::read_to_string(self.log(program)).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(6)..].join("\n  ")
    }
}
