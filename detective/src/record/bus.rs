//! Snapshots of the bus, into a file.

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
    config::Config,
    output::{hosts, span},
};

/// Records read at once; the bus hands out no more than a few megabytes.
const PAGE: usize = 256;
/// A recording that goes on asks a bus that failed again after this pause.
const PAUSE: Duration = Duration::from_secs(1);

/// Records snapshots of the bus until all is there, the time is up or `shutdown` is cancelled.
///
/// # Errors
/// If the bus cannot be read or the file not be written. What was recorded until then is a whole file.
pub async fn run(config: Config, args: &RecordArgs, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let bus = crate::config::open_existing(&config).await?;
    // Nothing is overwritten before there is something to read.
    let cursor = match (args.span, args.since) {
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
    let until = args.span.and_then(|span| Instant::now().checked_add(span));
    let goes_on = args.goes_on();
    let mut outage = OutageLog::new("read snapshots");
    loop {
        let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Ok(());
        }
        let wait = if goes_on { left.min(PAUSE) } else { Duration::ZERO };
        let Some(page) = shutdown.run_until_cancelled(bus.read(&cursor, PAGE, wait)).await else { return Ok(()) };
        match page {
            Ok(Page { deliveries, .. }) if deliveries.is_empty() && !goes_on => return Ok(()),
            Ok(Page { deliveries, next }) => {
                outage.succeeded();
                cursor = next;
                recording.take(&deliveries).with_context(|| format!("cannot write `{}`", args.file.display()))?;
            }
            Err(error) if goes_on && error.is_transient() => {
                outage.failed(&error, error.hint());
                let _ = shutdown.run_until_cancelled(tokio::time::sleep(left.min(PAUSE))).await;
            }
            Err(error) => return Err(error).hint_from(BusError::hint),
        }
    }
}

/// The file, and what is in it.
struct Recording {
    writer: Writer<GraphSnapshot, File>,
    host: Option<String>,
    since: Option<Timestamp>,
    /// What comes later is not waited for: a bus that takes snapshots faster than they are recorded would have no end.
    until: Option<Timestamp>,
    hosts: BTreeSet<String>,
    times: Option<(Timestamp, Timestamp)>,
    /// Records that were no snapshots.
    left_out: u64,
    /// Records that came after `until`.
    later: u64,
}

impl Recording {
    fn create(args: &RecordArgs) -> anyhow::Result<Recording> {
        let file = file::create(&args.file, args.force)?;
        let writer = Writer::create(file).with_context(|| format!("cannot write `{}`", args.file.display()))?;
        let now = Timestamp::now();
        let ago = |since: Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Ok(Recording {
            writer,
            host: args.host.clone(),
            since: args.since.map(|since| Timestamp(now.0.saturating_sub(ago(since)))),
            until: (!args.goes_on()).then_some(now),
            hosts: BTreeSet::new(),
            times: None,
            left_out: 0,
            later: 0,
        })
    }

    /// Writes the snapshots of a page that are wanted, to the end of a block: what comes later cannot harm them.
    fn take(&mut self, deliveries: &[Delivery]) -> Result<(), ContainerError> {
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
                    self.note(&snapshot);
                }
                Err(error) => self.leave_out(delivery, &error),
            }
        }
        self.writer.finish_block()
    }

    fn note(&mut self, snapshot: &GraphSnapshot) {
        let time = snapshot.ended_at;
        self.times = Some(self.times.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        if !self.hosts.contains(&snapshot.host) {
            self.hosts.insert(snapshot.host.clone());
        }
    }

    fn leave_out(&mut self, delivery: &Delivery, error: &CodecError) {
        if self.left_out == 0 {
            let (partition, offset) = (delivery.partition, delivery.offset);
            tracing::warn!(partition, offset, %error, "a record of the snapshots topic is no snapshot");
        }
        self.left_out += 1;
    }

    /// Takes away what is not a whole block, and tells what there is.
    fn finish(self, path: &Path) -> anyhow::Result<()> {
        let whole = self.writer.bytes_written();
        let ended = file::end(self.writer.get_ref(), whole);
        if self.left_out > 0 {
            eprintln!("{} records of `{}` were no snapshots and were left out", self.left_out, Topic::Snapshots);
        }
        if self.later > 0 {
            eprintln!("{} snapshots that came meanwhile were left out: `--follow` takes them too", self.later);
        }
        let Some((first, last)) = self.times else {
            eprintln!("no snapshot was recorded: `{}` is empty", path.display());
            return Ok(ended?);
        };
        eprintln!(
            "recorded {} snapshots of {} from {first} to {last} ({}) in `{}`, {:.1} MB",
            self.writer.records_written(),
            hosts(self.hosts.len()),
            span(last.millis_since(first)),
            path.display(),
            whole as f64 / 1e6
        );
        ended.with_context(|| format!("cannot write `{}`", path.display()))
    }
}
