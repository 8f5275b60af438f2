//! Sweeps this host and records all raw reads, from which the same snapshots can be made again.

use std::{fs::File, path::Path, time::Duration};

use anyhow::Context;
use hostread::Tape;
use producer::{ProducerError, Sweeper};
use schemas::{GraphSnapshot, NodeKind, Timestamp, container::Writer};
use service::{Hint, OutageLog};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{args::RecordArgs, file};
use crate::{
    config::Config,
    output::{format_megabytes, format_millis},
};

/// How long to record without `--for` and `--follow`.
const DEFAULT_DURATION: Duration = Duration::from_secs(60);
/// How long a sweep may still run after a signal.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Sweeps this host at the interval until the time is up or `shutdown` is cancelled.
///
/// # Errors
/// If this host cannot be swept, or the file cannot be written. The file is complete up to there.
pub async fn run(config: Config, args: &RecordArgs, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut recording = Recording::create(&config, args)?;
    let duration = if args.follow { None } else { Some(args.duration.unwrap_or(DEFAULT_DURATION)) };
    let end = duration.and_then(|duration| Instant::now().checked_add(duration));
    let mut interval = tokio::time::interval(config.sweep.interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut outcome = Ok(());
    while outcome.is_ok() && wait_for_tick(&mut interval, end, shutdown).await {
        let sweep = tokio::task::spawn_blocking(move || {
            let outcome = recording.sweep();
            (recording, outcome)
        });
        (recording, outcome) = tokio::select! {
            swept = sweep => swept?,
            () = wait_for_timeout(shutdown) => {
                let name = args.file.display();
                return Err(anyhow::anyhow!("a sweep does not end: `{name}` is cut off within it"))
                    .hint("the sweeps before it can be replayed");
            }
        };
    }
    outcome.and(recording.finish())
}

/// Waits until a sweep should have ended after a signal. A read can block in the kernel, on a
/// device or a file server.
async fn wait_for_timeout(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
}

/// Waits for the time of the next sweep. Returns false at the end of the recording.
async fn wait_for_tick(interval: &mut Interval, end: Option<Instant>, shutdown: &CancellationToken) -> bool {
    let ended = async {
        match end {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => false,
        () = ended => false,
        _ = interval.tick() => true,
    }
}

/// The sweeper, and the files of its sweeps.
struct Recording {
    sweeper: Sweeper,
    tape: Tape,
    host: String,
    raw_reads: Output,
    snapshots: Option<(Writer<GraphSnapshot, File>, Output)>,
    sweeps: usize,
    failures: usize,
    outage: OutageLog<ProducerError>,
    processes: usize,
    times: Option<(Timestamp, Timestamp)>,
}

/// An output file.
struct Output {
    file: File,
    name: String,
}

impl Output {
    fn create(path: &Path, force: bool) -> anyhow::Result<Output> {
        Ok(Output { file: file::create(path, force)?, name: path.display().to_string() })
    }

    fn writer(&self) -> anyhow::Result<File> {
        self.file.try_clone().with_context(|| self.write_error())
    }

    fn write_error(&self) -> String {
        format!("cannot write `{}`", self.name)
    }

    /// Truncates the file to its complete blocks. Returns its name and size.
    fn finish(&self, complete_bytes: u64) -> anyhow::Result<String> {
        file::finish(&self.file, complete_bytes).with_context(|| self.write_error())?;
        Ok(format!("`{}`, {}", self.name, format_megabytes(complete_bytes)))
    }
}

impl Recording {
    fn create(config: &Config, args: &RecordArgs) -> anyhow::Result<Recording> {
        if args.snapshots.as_ref().is_some_and(|path| file::are_same(&args.file, path)) {
            let name = args.file.display();
            return Err(anyhow::anyhow!("`{name}` cannot hold both raw reads and snapshots"))
                .hint("name another file with `--snapshots`");
        }
        // Fails before a file is overwritten.
        Sweeper::new(config.producer()).hint_from(ProducerError::hint)?;
        let raw_reads = Output::create(&args.file, args.force)?;
        let snapshots = match &args.snapshots {
            Some(path) => {
                let output = Output::create(path, args.force)?;
                Some((Writer::create(output.writer()?).with_context(|| output.write_error())?, output))
            }
            None => None,
        };
        let tape = Tape::record_to(Box::new(raw_reads.writer()?)).with_context(|| raw_reads.write_error())?;
        let sweeper = Sweeper::with_tape(config.producer(), tape.clone()).hint_from(ProducerError::hint)?;
        Ok(Recording {
            sweeper,
            tape,
            host: config.host.clone(),
            raw_reads,
            snapshots,
            sweeps: 0,
            failures: 0,
            outage: OutageLog::new("sweep the host"),
            processes: 0,
            times: None,
        })
    }

    /// Sweeps once. A failure is logged; the recording keeps what the sweep read.
    fn sweep(&mut self) -> anyhow::Result<()> {
        match self.sweeper.sweep() {
            Ok(snapshot) => {
                self.outage.succeeded();
                self.append(&snapshot)
            }
            Err(error) if error.is_about_the_tape() => Err(error).with_context(|| self.raw_reads.write_error()),
            Err(error) => {
                self.outage.failed(&error, error.hint());
                self.failures += 1;
                Ok(())
            }
        }
    }

    fn append(&mut self, snapshot: &GraphSnapshot) -> anyhow::Result<()> {
        self.sweeps += 1;
        self.times = Some((self.times.map_or(snapshot.started_at, |(first, _)| first), snapshot.ended_at));
        let processes = snapshot.nodes.iter().filter(|node| node.kind == NodeKind::Process).count();
        self.processes = self.processes.max(processes);
        match &mut self.snapshots {
            Some((writer, output)) => {
                let written = writer.append(snapshot).and_then(|()| writer.finish_block());
                written.with_context(|| output.write_error())
            }
            None => Ok(()),
        }
    }

    /// Truncates the files to their complete blocks, and prints what they contain.
    fn finish(self) -> anyhow::Result<()> {
        let raw_reads = self.raw_reads.finish(self.tape.complete_bytes())?;
        let snapshots = match &self.snapshots {
            Some((writer, output)) => format!(", and their snapshots in {}", output.finish(writer.bytes_written())?),
            None => String::new(),
        };
        if self.failures > 0 {
            eprintln!("{} sweeps failed, and will fail when they are replayed", self.failures);
        }
        let took = format_millis(self.times.map_or(0, |(first, last)| last.millis_since(first)));
        let Recording { host, sweeps, processes, .. } = self;
        eprintln!("recorded {sweeps} sweeps of {host} ({processes} processes) over {took} in {raw_reads}{snapshots}");
        Ok(())
    }
}
