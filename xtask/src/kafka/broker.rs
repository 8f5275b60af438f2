//! A broker that is its own controller.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::broker_process::BrokerProcess;

/// An idle machine takes five seconds; a busy one takes longer.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Kafka logs this when its listeners are open and the controller has unfenced it.
const STARTED: &str = "Kafka Server started";
const SETTINGS: &str = "server.properties";
const LOG: &str = "server.log";
/// How many lines of the log an error quotes.
const QUOTED_LINES: usize = 8;

/// How long the broker runs at most.
#[derive(Clone, Copy, PartialEq)]
pub enum Lifetime {
    /// Until `cargo xtask kafka down`.
    UntilDown,
    /// As long as this process.
    ThisProcess,
}

/// Starts a broker without data and waits until it serves.
///
/// # Errors
/// If it does not start; the error quotes its log.
pub fn start(folder: &Path, port: Option<u16>, lifetime: Lifetime) -> anyhow::Result<BrokerProcess> {
    remove_data(folder)?;
    let [free, controller] = free_ports()?;
    let port = port.unwrap_or(free);
    if !is_free(port) {
        bail!("port {port} of 127.0.0.1 is taken\nhint: leave out `--port` to use a free one");
    }
    std::fs::write(folder.join(SETTINGS), settings(port, controller)).context("cannot write Kafka's settings")?;
    let log = File::create(folder.join(LOG)).context("cannot write Kafka's log")?;
    let format = ["kafka.tools.StorageTool", "format", "--cluster-id", "local-detective", "--config", SETTINGS];
    let formatted = java(folder, &log, Lifetime::ThisProcess)?.args(format).status().context("cannot run `java`")?;
    if !formatted.success() {
        bail!("Kafka cannot format `{}`; {}", folder.join("data").display(), log_excerpt(folder));
    }
    let mut child =
        java(folder, &log, lifetime)?.args(["kafka.Kafka", SETTINGS]).spawn().context("cannot run `java`")?;
    let started = save_process(folder, &child, port);
    let started = started.and_then(|process| wait_until_started(&process, folder).map(|()| process));
    if started.is_err() {
        let _ = child.kill();
        let _ = child.wait();
        remove_data(folder)?;
    }
    started
}

/// Waits until the broker serves.
///
/// # Errors
/// If it ends first, or does not serve within [`START_TIMEOUT`]; the error quotes its log.
pub fn wait_until_started(process: &BrokerProcess, folder: &Path) -> anyhow::Result<()> {
    let start = Instant::now();
    while start.elapsed() < START_TIMEOUT {
        if std::fs::read_to_string(folder.join(LOG)).is_ok_and(|log| log.contains(STARTED)) {
            return Ok(());
        }
        if !process.is_alive() {
            bail!("Kafka ended during its start; {}", log_excerpt(folder));
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    bail!("Kafka did not start within {START_TIMEOUT:?}; {}", log_excerpt(folder))
}

/// Removes the data of a broker that has ended. Its log stays.
///
/// # Errors
/// If it cannot be removed.
pub fn remove_data(folder: &Path) -> anyhow::Result<()> {
    BrokerProcess::remove_file(folder)?;
    let data = folder.join("data");
    if data.try_exists()? {
        std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove `{}`", data.display()))?;
    }
    Ok(())
}

/// Few internal partitions, for a fast start; no replication, for a single broker; no automatic
/// topics, because the tests create theirs.
fn settings(port: u16, controller: u16) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
log.dirs=data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
"
    )
}

/// Java with Kafka's class path. It runs in the folder, so that no path needs quoting.
fn java(folder: &Path, log: &File, lifetime: Lifetime) -> anyhow::Result<Command> {
    let mut command = match lifetime {
        Lifetime::UntilDown => Command::new("java"),
        Lifetime::ThisProcess => {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "java"]);
            command
        }
    };
    command
        .args(["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"])
        .args(["-Dorg.slf4j.simpleLogger.logFile=System.out", "-Dorg.slf4j.simpleLogger.showDateTime=true"])
        .args(["-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS", "-cp", "libs/*"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        // Ctrl-C and a closed terminal signal the process group of the terminal.
        .process_group(0);
    Ok(command)
}

/// Two free ports below the range of ephemeral ports: one of those could be taken by a connection
/// before the broker listens.
fn free_ports() -> anyhow::Result<[u16; 2]> {
    let first = std::process::id() * 2 % 10_000;
    let mut free =
        (0..10_000).filter_map(|n| u16::try_from(20_000 + (first + n) % 10_000).ok()).filter(|port| is_free(*port));
    match (free.next(), free.next()) {
        (Some(first), Some(second)) => Ok([first, second]),
        _ => bail!("no two ports between 20000 and 30000 are free"),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn save_process(folder: &Path, child: &Child, port: u16) -> anyhow::Result<BrokerProcess> {
    let process = BrokerProcess::find(child.id(), format!("127.0.0.1:{port}"))?;
    process.save(folder)?;
    Ok(process)
}

/// The first error in the log with the lines after it, or else the end of the log.
fn log_excerpt(folder: &Path) -> String {
    let path = folder.join(LOG);
    let log = std::fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let is_error = |line: &&str| ["ERROR", "Error", "Exception"].iter().any(|word| line.contains(word));
    let from = lines.iter().position(is_error).unwrap_or(lines.len().saturating_sub(QUOTED_LINES));
    let quoted = &lines[from..lines.len().min(from + QUOTED_LINES)];
    format!("the log `{}`:\n  {}", path.display(), quoted.join("\n  "))
}
