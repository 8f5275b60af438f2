//! One broker that is its own controller.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::kafka::running::Running;

/// How long a start may take on a busy machine; on an idle one it takes five seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// Kafka logs this when its listeners are open and the controller has let it serve.
const STARTED: &str = "Kafka Server started";
const SETTINGS: &str = "server.properties";
const LOG: &str = "server.log";
/// How many lines of the log an error quotes.
const LINES: usize = 8;

/// When the broker ends at the latest.
#[derive(Clone, Copy, PartialEq)]
pub enum Lifetime {
    /// With `cargo xtask kafka down`.
    UntilDown,
    /// With this process, however that ends.
    OfThisProcess,
}

/// Starts an empty broker and waits until it serves.
///
/// # Errors
/// If it does not come up; the error quotes its log.
pub fn start(folder: &Path, port: Option<u16>, lifetime: Lifetime) -> anyhow::Result<Running> {
    clear(folder)?;
    let [free, controller] = free_ports()?;
    let port = port.unwrap_or(free);
    if !is_free(port) {
        bail!("port {port} of 127.0.0.1 is taken\nhint: leave out `--port` and one that is free is chosen");
    }
    std::fs::write(folder.join(SETTINGS), settings(port, controller)).context("cannot write Kafka's settings")?;
    let log = File::create(folder.join(LOG)).context("cannot write Kafka's log")?;
    let format = ["kafka.tools.StorageTool", "format", "--cluster-id", "local-detective", "--config", SETTINGS];
    let formatted = java(folder, &log, Lifetime::OfThisProcess)?.args(format).status().context("cannot run `java`")?;
    if !formatted.success() {
        bail!("Kafka cannot format `{}`; {}", folder.join("data").display(), what_log_says(folder));
    }
    let mut child =
        java(folder, &log, lifetime)?.args(["kafka.Kafka", SETTINGS]).spawn().context("cannot run `java`")?;
    let started = note(folder, &child, port).and_then(|running| await_start(&running, folder).map(|()| running));
    if started.is_err() {
        let _ = child.kill();
        let _ = child.wait();
        clear(folder)?;
    }
    started
}

/// Waits until the broker serves.
///
/// # Errors
/// If it ends before, or takes too long.
pub fn await_start(running: &Running, folder: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if std::fs::read_to_string(folder.join(LOG)).is_ok_and(|log| log.contains(STARTED)) {
            return Ok(());
        }
        if !running.is_alive() {
            bail!("Kafka ended while it started; {}", what_log_says(folder));
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    bail!("Kafka did not start within {PATIENCE:?}; {}", what_log_says(folder))
}

/// Removes what a broker that has ended left, but for its log.
///
/// # Errors
/// If it cannot be removed.
pub fn clear(folder: &Path) -> anyhow::Result<()> {
    Running::forget(folder)?;
    let data = folder.join("data");
    if data.try_exists()? {
        std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove `{}`", data.display()))?;
    }
    Ok(())
}

/// Few partitions start fast; one broker cannot replicate; a topic that nobody made is a mistake.
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

/// Java on Kafka's class path. It runs in the folder, so that no path needs quoting.
fn java(folder: &Path, log: &File, lifetime: Lifetime) -> anyhow::Result<Command> {
    let mut command = match lifetime {
        Lifetime::UntilDown => Command::new("java"),
        Lifetime::OfThisProcess => {
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
        // Ctrl-C and a closed terminal end the processes of the terminal's group.
        .process_group(0);
    Ok(command)
}

/// Two ports, below those that Linux hands out itself: such a one could be taken until the broker listens.
fn free_ports() -> anyhow::Result<[u16; 2]> {
    let first = std::process::id() * 2 % 10_000;
    let mut free =
        (0..10_000).filter_map(|n| u16::try_from(20_000 + (first + n) % 10_000).ok()).filter(|port| is_free(*port));
    match (free.next(), free.next()) {
        (Some(one), Some(other)) => Ok([one, other]),
        _ => bail!("no two ports between 20000 and 30000 are free"),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn note(folder: &Path, child: &Child, port: u16) -> anyhow::Result<Running> {
    let running = Running::of(child.id(), format!("127.0.0.1:{port}"))?;
    running.write(folder)?;
    Ok(running)
}

/// The first complaint in the log, or its end.
fn what_log_says(folder: &Path) -> String {
    let path = folder.join(LOG);
    let log = std::fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let is_complaint = |line: &&str| ["ERROR", "Error", "Exception"].iter().any(|word| line.contains(word));
    let from = lines.iter().position(is_complaint).unwrap_or(lines.len().saturating_sub(LINES));
    let quoted = &lines[from..lines.len().min(from + LINES)];
    format!("`{}` says\n  {}", path.display(), quoted.join("\n  "))
}
