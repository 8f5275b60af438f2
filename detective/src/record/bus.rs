//! Records snapshots from the bus.

use std::{collections::BTreeSet, fs::File, path::Path, time::Duration};

use anyhow::Context;
use bus::{Bus, BusError, Cursor, Delivery, Page};
use schemas::{
    CodecError, GraphSnapshot, Timestamp, Topic,
    container::{ContainerError, Writer},
};
use service::{Hint, OutageLog};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{args::RecordArgs, file};
use crate::{
    config::{Config, open_existing_bus},
    output::{format_hosts, format_megabytes, format_millis},
};

/// Records per read. The bus limits a page to a few megabytes.
const PAGE_SIZE: usize = 256;
/// How long a read waits for new records, and the pause after a failed read.
const WAIT: Duration = Duration::from_secs(1);

/// Records until everything is recorded, the time is up, or `shutdown` is cancelled.
///
/// # Errors
/// If the bus cannot be read, or the file cannot be written. The file is complete up to there.
pub async fn run(config: Config, args: &RecordArgs, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let bus = open_existing_bus(&config).await?;
    // Read before the file is overwritten.
    let cursor = match (args.duration, args.since) {
        (Some(_), None) => bus.end(Topic::Snapshots).await.hint_from(BusError::hint)?,
        _ => Cursor::start(Topic::Snapshots),
    };
    let mut recording = Recording::create(args)?;
    let outcome = record(bus.as_ref(), cursor, args, shutdown, &mut recording).await;
    let finished = recording.finish(&args.file);
    bus.close().await;
    outcome.and(finished)
}

async fn record(
    bus: &dyn Bus,
    mut cursor: Cursor,
    args: &RecordArgs,
    shutdown: &CancellationToken,
    recording: &mut Recording,
) -> anyhow::Result<()> {
    let end = args.duration.and_then(|duration| Instant::now().checked_add(duration));
    let waits = args.waits();
    let mut outage = OutageLog::new("read snapshots");
    loop {
        let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Ok(());
        }
        let wait = if waits { left.min(WAIT) } else { Duration::ZERO };
        let Some(page) = shutdown.run_until_cancelled(bus.read(&cursor, PAGE_SIZE, wait)).await else { return Ok(()) };
        match page {
            Ok(Page { deliveries, .. }) if deliveries.is_empty() && !waits => return Ok(()),
            Ok(Page { deliveries, next }) => {
                outage.succeeded();
                cursor = next;
                recording.append(&deliveries).with_context(|| format!("cannot write `{}`", args.file.display()))?;
            }
            Err(error) if waits && error.is_transient() => {
                outage.failed(&error, error.hint());
                let _ = shutdown.run_until_cancelled(tokio::time::sleep(left.min(WAIT))).await;
            }
            Err(error) => return Err(error).hint_from(BusError::hint),
        }
    }
}

/// The file, which snapshots belong into it, and what it contains.
struct Recording {
    writer: Writer<GraphSnapshot, File>,
    host: Option<String>,
    since: Option<Timestamp>,
    /// Later records are skipped: if they come faster than they are recorded, there is no end.
    until: Option<Timestamp>,
    hosts: BTreeSet<String>,
    times: Option<(Timestamp, Timestamp)>,
    /// Number of records that are not snapshots.
    invalid: u64,
    /// Number of snapshots after `until`.
    later: u64,
}

impl Recording {
    fn create(args: &RecordArgs) -> anyhow::Result<Recording> {
        let file = file::create(&args.file, args.force)?;
        let writer = Writer::create(file).with_context(|| format!("cannot write `{}`", args.file.display()))?;
        let now = Timestamp::now();
        Ok(Recording {
            writer,
            host: args.host.clone(),
            since: args.since.map(|since| now.saturating_sub(since)),
            until: (!args.waits()).then_some(now),
            hosts: BTreeSet::new(),
            times: None,
            invalid: 0,
            later: 0,
        })
    }

    /// Writes the wanted snapshots of a page, and ends the block, so that it is complete whatever
    /// comes later.
    fn append(&mut self, deliveries: &[Delivery]) -> Result<(), ContainerError> {
        for delivery in deliveries {
            if self.host.as_ref().is_some_and(|host| *host != delivery.key) {
                continue;
            }
            if self.until.is_some_and(|until| delivery.time > until) {
                self.later += 1;
                continue;
            }
            match schemas::decode::<GraphSnapshot>(&delivery.value) {
                Ok(snapshot) if self.since.is_some_and(|since| snapshot.ended_at < since) => {}
                Ok(snapshot) => {
                    self.writer.append(&snapshot)?;
                    self.count(&snapshot);
                }
                Err(error) => self.skip_invalid(delivery, &error),
            }
        }
        self.writer.finish_block()
    }

    fn count(&mut self, snapshot: &GraphSnapshot) {
        let time = snapshot.ended_at;
        self.times = Some(self.times.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        if !self.hosts.contains(&snapshot.host) {
            self.hosts.insert(snapshot.host.clone());
        }
    }

    /// Logs the first invalid record, and counts all.
    fn skip_invalid(&mut self, delivery: &Delivery, error: &CodecError) {
        if self.invalid == 0 {
            tracing::warn!(
                partition = delivery.partition,
                offset = delivery.offset,
                %error,
                "invalid record in the snapshots topic skipped"
            );
        }
        self.invalid += 1;
    }

    /// Truncates the file to its complete blocks, and prints what it contains.
    fn finish(self, path: &Path) -> anyhow::Result<()> {
        let bytes = self.writer.bytes_written();
        let finished = file::finish(self.writer.get_ref(), bytes);
        if self.invalid > 0 {
            eprintln!("skipped {} records of `{}` that are not snapshots", self.invalid, Topic::Snapshots);
        }
        if self.later > 0 {
            eprintln!("skipped {} snapshots that came meanwhile: `--follow` records them too", self.later);
        }
        let Some((first, last)) = self.times else {
            eprintln!("recorded no snapshots: `{}` is empty", path.display());
            return Ok(finished?);
        };
        eprintln!(
            "recorded {} snapshots of {} from {first} to {last} ({}) in `{}`, {}",
            self.writer.records_written(),
            format_hosts(self.hosts.len()),
            format_millis(last.millis_since(first)),
            path.display(),
            format_megabytes(bytes)
        );
        finished.with_context(|| format!("cannot write `{}`", path.display()))
    }
}
