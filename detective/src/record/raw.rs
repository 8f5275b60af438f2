//! What sweeps of this host read, into a file that gives the same snapshots again.

use std::{fs::File, path::Path, time::Duration};

use anyhow::Context;
use hostread::Tape;
use producer::{ProducerError, Sweeper};
use schemas::{GraphSnapshot, Timestamp, container::Writer};
use service::{Hint, OutageLog};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{args::RecordArgs, file};
use crate::{config::Config, output::span};

/// For so long if nothing else was asked for.
const SPAN: Duration = Duration::from_secs(60);
/// What is still at work when a signal came so long ago is left to the end of the process.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sweeps this host at the interval, and records what the sweeps read, until the time is up or a signal comes.
///
/// # Errors
/// If this host cannot be swept or the file not be written. What was recorded until then is a whole file.
pub async fn run(config: Config, args: &RecordArgs, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut recording = Recording::create(&config, args)?;
    let span = if args.follow { None } else { Some(args.span.unwrap_or(SPAN)) };
    let until = span.and_then(|span| Instant::now().checked_add(span));
    let mut interval = tokio::time::interval(config.sweep.interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut outcome = Ok(());
    while outcome.is_ok() && is_time(&mut interval, until, shutdown).await {
        let sweeping = tokio::task::spawn_blocking(move || {
            let swept = recording.sweep();
            (recording, swept)
        });
        (recording, outcome) = tokio::select! {
            swept = sweeping => swept?,
            () = is_overdue(shutdown) => {
                let name = args.file.display();
                return Err(anyhow::anyhow!("a sweep hangs: `{name}` ends within it"))
                    .hint("what was recorded before can be replayed");
            }
        };
    }
    outcome.and(recording.finish())
}

/// Waits until a sweep should have ended after a signal: the kernel can keep one waiting for a device or a server.
async fn is_overdue(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(PATIENCE).await;
}

/// Waits for the next sweep; false if there is to be none.
async fn is_time(interval: &mut tokio::time::Interval, until: Option<Instant>, shutdown: &CancellationToken) -> bool {
    let over = async {
        match until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => false,
        () = over => false,
        _ = interval.tick() => true,
    }
}

/// The sweeps, and the files that they go to.
struct Recording {
    sweeper: Sweeper,
    tape: Tape,
    host: String,
    raw: Output,
    made: Option<(Writer<GraphSnapshot, File>, Output)>,
    sweeps: usize,
    failures: usize,
    outage: OutageLog<ProducerError>,
    processes: usize,
    times: Option<(Timestamp, Timestamp)>,
}

/// A file and its name.
struct Output {
    file: File,
    name: String,
}

impl Output {
    fn create(path: &Path, force: bool) -> anyhow::Result<Output> {
        Ok(Output { file: file::create(path, force)?, name: path.display().to_string() })
    }

    fn writer(&self) -> anyhow::Result<File> {
        self.file.try_clone().with_context(|| self.cannot())
    }

    fn cannot(&self) -> String {
        format!("cannot write `{}`", self.name)
    }

    fn end(&self, whole: u64) -> anyhow::Result<String> {
        file::end(&self.file, whole).with_context(|| self.cannot())?;
        Ok(format!("`{}`, {:.1} MB", self.name, whole as f64 / 1e6))
    }
}

impl Recording {
    fn create(config: &Config, args: &RecordArgs) -> anyhow::Result<Recording> {
        if args.snapshots.as_ref().is_some_and(|path| file::are_same(&args.file, path)) {
            let name = args.file.display();
            return Err(anyhow::anyhow!("`{name}` cannot hold both what is read and the snapshots"))
                .hint("name another file with `--snapshots`");
        }
        // Nothing is overwritten before it is seen that there is something to read.
        Sweeper::new(config.producer()).hint_from(ProducerError::hint)?;
        let raw = Output::create(&args.file, args.force)?;
        let made = match &args.snapshots {
            Some(path) => {
                let output = Output::create(path, args.force)?;
                Some((Writer::create(output.writer()?).with_context(|| output.cannot())?, output))
            }
            None => None,
        };
        let tape = Tape::record_to(Box::new(raw.writer()?)).with_context(|| raw.cannot())?;
        let sweeper = Sweeper::with_tape(config.producer(), tape.clone()).hint_from(ProducerError::hint)?;
        let (host, times) = (config.host.clone(), None);
        let outage = OutageLog::new("sweep the host");
        Ok(Recording { sweeper, tape, host, raw, made, sweeps: 0, failures: 0, outage, processes: 0, times })
    }

    /// Sweeps once. A failure is logged; the recording keeps what the sweep read.
    fn sweep(&mut self) -> anyhow::Result<()> {
        match self.sweeper.sweep() {
            Ok(snapshot) => {
                self.outage.succeeded();
                self.note(&snapshot)
            }
            Err(error) if error.is_about_the_tape() => Err(error).with_context(|| self.raw.cannot()),
            Err(error) => {
                self.outage.failed(&error, error.hint());
                self.failures += 1;
                Ok(())
            }
        }
    }

    fn note(&mut self, snapshot: &GraphSnapshot) -> anyhow::Result<()> {
        self.sweeps += 1;
        self.times = Some((self.times.map_or(snapshot.started_at, |(first, _)| first), snapshot.ended_at));
        let processes = snapshot.nodes.iter().filter(|node| node.kind == "process").count();
        self.processes = self.processes.max(processes);
        match &mut self.made {
            Some((writer, output)) => {
                let written = writer.append(snapshot).and_then(|()| writer.finish_block());
                written.with_context(|| output.cannot())
            }
            None => Ok(()),
        }
    }

    /// Takes away what is not a whole block, and tells what there is.
    fn finish(self) -> anyhow::Result<()> {
        let raw = self.raw.end(self.tape.complete_bytes())?;
        let made = match &self.made {
            Some((writer, output)) => format!(", and their snapshots in {}", output.end(writer.bytes_written())?),
            None => String::new(),
        };
        if self.failures > 0 {
            eprintln!("{} sweeps failed, and will again when they are replayed", self.failures);
        }
        let took = span(self.times.map_or(0, |(first, last)| last.millis_since(first)));
        let Recording { host, sweeps, processes, .. } = self;
        eprintln!("recorded {sweeps} sweeps of {host} ({processes} processes) over {took} in {raw}{made}");
        Ok(())
    }
}
