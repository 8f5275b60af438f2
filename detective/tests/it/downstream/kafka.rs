//! Runs the commands of the page.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use bus::{BusConfig, BusKind, KafkaConfig, Positions, Record, RetentionConfig};
use rustix::process::{Pid, Signal, kill_process_group};
use schemas::{RootCauseEvent, Topic};
use scorer::engine::change_records;

use super::{page, story};
use crate::processes::TIMEOUT;

#[test]
#[ignore = "needs Kafka, kcat and python with confluent-kafka"]
fn kcat_shows_partitions_keys_and_headers() {
    let cluster = Cluster::with_events();
    let (command, expected) = page::example("kcat -C");
    let found = cluster.output(&command);
    assert_eq!(found, expected);
    let published = |field: fn(&RootCauseEvent) -> String| {
        story::changes().iter().map(|change| field(&change.event)).collect::<Vec<_>>()
    };
    let keys = cluster.output(&command.replace("%p %o %k", "%k"));
    assert_eq!(keys, published(|event| event.incident.clone()));
    let timestamps = cluster.output(&command.replace("%p %o %k", "%T"));
    let times = published(|event| event.time.0.to_string());
    assert!(times.iter().zip(&timestamps).all(|(time, timestamp)| time < timestamp), "{timestamps:?}");
    // The aborted record is visible to consumers that read uncommitted records, as the page says.
    let uncommitted = cluster.output(&command.replace("kcat -C", "kcat -C -X isolation.level=read_uncommitted"));
    assert_eq!(uncommitted.len(), expected.len() + 1);

    let (command, expected) = page::example("%h");
    let found = cluster.output(&command);
    assert_eq!(found, expected);
    let listed: Vec<String> = page::table("header").iter().map(|row| format!("{}={}", row[0], row[1])).collect();
    assert_eq!(found, listed);
}

#[test]
#[ignore = "needs Kafka and python with confluent-kafka and fastavro"]
fn the_python_example_decodes_kafka_events() {
    check_versions(&page::command("pip install"));
    let cluster = Cluster::with_events();
    let (command, expected) = page::example("docs/examples/alerts.py");
    let session = Session::start(cluster.shell(&command));
    let found = session.lines(expected.len());
    assert_eq!(found, expected);
    let (status, more) = session.interrupt();
    assert_eq!((status.code(), more), (Some(0), Vec::<String>::new()));
    for (line, change) in found.iter().zip(story::changes()) {
        let event = change.event;
        let root_cause = event.initiating.map_or_else(
            || "inconclusive".to_owned(),
            |suspect| format!("{} pid {} {}", suspect.name, suspect.pid.unwrap(), suspect.path.unwrap()),
        );
        let wanted = [event.event.to_string(), event.incident, root_cause, event.previous.unwrap_or_default()];
        assert!(wanted.iter().all(|wanted| line.contains(wanted)), "{wanted:?}: {line}");
    }
}

#[test]
#[ignore = "needs Kafka, jq and python with confluent-kafka"]
fn the_shell_example_reads_kafka_events() {
    let cluster = Cluster::with_events();
    let (command, expected) = page::example("detective alerts --json --follow");
    let session = Session::start(cluster.shell(&command));
    assert_eq!(session.lines(expected.len()), expected);
    assert_eq!(session.interrupt().1, Vec::<String>::new());
}

/// Checks that the tests run with the versions that the page installs.
fn check_versions(install: &str) {
    let packages: Vec<&str> = install.split_whitespace().filter(|word| word.contains("==")).collect();
    assert_eq!(packages.len(), 2, "{install}");
    for package in packages {
        let (name, version) = package.split_once("==").unwrap();
        let script = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))";
        let output = Command::new(python()).args(["-c", script, name]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), version, "{name}");
    }
}

/// Number of partitions, as on the page.
const PARTITIONS: u16 = 3;

/// Topics with a random prefix that contain the events of the story.
struct Cluster {
    config: BusConfig,
    partition: i32,
}

impl Cluster {
    fn with_events() -> Cluster {
        let brokers =
            std::env::var("DETECTIVE_KAFKA").expect("DETECTIVE_KAFKA names a broker: see `cargo xtask kafka up`");
        let prefix = format!("page-{:x}.", rand::random::<u64>());
        let kafka = KafkaConfig { brokers, prefix, partitions: PARTITIONS, ..KafkaConfig::default() };
        // The events are old, and would be deleted.
        let retention = RetentionConfig { alerts: Duration::MAX, ..RetentionConfig::default() };
        let config = BusConfig { kind: BusKind::Kafka, kafka, retention, ..BusConfig::default() };
        let cluster = Cluster { config, partition: bus::partition_for_key(story::HOST, PARTITIONS) };
        tokio::runtime::Runtime::new().unwrap().block_on(cluster.fill());
        cluster
    }

    /// Publishes as the scorer does, with an aborted transaction after the first event.
    async fn fill(&self) {
        bus::topics::apply(&self.config).await.unwrap();
        let bus = bus::open(&self.config).await.unwrap();
        for (index, change) in story::changes().iter().enumerate() {
            let records = change_records(change, Some(self.partition)).unwrap();
            if index == 1 {
                self.abort(&records[0]);
            }
            let next = vec![(Topic::Snapshots, self.partition, i64::try_from(index).unwrap() + 1)];
            let positions = Positions { group: scorer::GROUP.to_owned(), next };
            bus.publish(records.into(), Some(positions)).await.unwrap();
        }
        bus.close().await;
    }

    fn abort(&self, record: &Record) {
        let topic = format!("{}{}", self.config.kafka.prefix, record.topic);
        let mut script = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/downstream/abort.py"))
            .args([&self.config.kafka.brokers, &topic, &self.partition.to_string(), &record.key])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        script.stdin.take().unwrap().write_all(&record.value).unwrap();
        assert!(script.wait().unwrap().success());
    }

    /// A command of the page, in the folder of the repository and with its two variables set.
    fn shell(&self, block: &str) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_detective")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{}:{path}", python().parent().unwrap().display(), bin.display());
        // The tests may run with SIGINT ignored, which child processes inherit.
        let mut shell = Command::new("env");
        shell
            .args(["--default-signal=INT", "bash", "-c", block])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        shell.env("PATH", path).env("BROKERS", &self.config.kafka.brokers).env("PREFIX", &self.config.kafka.prefix);
        shell.stdin(Stdio::null()).stdout(Stdio::piped());
        shell
    }

    fn output(&self, block: &str) -> Vec<String> {
        let Output { status, stdout, .. } = self.shell(block).output().unwrap();
        assert!(status.success(), "{status}: {block}");
        String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

fn python() -> PathBuf {
    std::env::var_os("DETECTIVE_PYTHON")
        .expect("DETECTIVE_PYTHON names a python with confluent-kafka and fastavro")
        .into()
}

/// A command that runs until it is interrupted.
struct Session {
    shell: Child,
    lines: Receiver<String>,
}

impl Session {
    fn start(mut shell: Command) -> Session {
        let mut shell = shell.process_group(0).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(shell.stdout.take().unwrap()).lines();
        std::thread::spawn(move || output.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Session { shell, lines }
    }

    fn lines(&self, n: usize) -> Vec<String> {
        let started = Instant::now();
        let line = |_| self.lines.recv_timeout(TIMEOUT.saturating_sub(started.elapsed())).expect("a line in time");
        (0..n).map(line).collect()
    }

    /// Sends Ctrl-C, and returns the exit status and the lines that were not read.
    fn interrupt(mut self) -> (ExitStatus, Vec<String>) {
        let started = Instant::now();
        kill_process_group(Pid::from_child(&self.shell), Signal::INT).unwrap();
        loop {
            if let Some(status) = self.shell.try_wait().unwrap() {
                return (status, self.lines.iter().collect());
            }
            assert!(started.elapsed() < TIMEOUT, "it still runs after Ctrl-C");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if matches!(self.shell.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.shell), Signal::KILL);
            let _ = self.shell.wait();
        }
    }
}
