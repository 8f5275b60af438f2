//! `detective replay`: publishes a recording, with the rhythm in which it was recorded.

mod args;
mod pace;

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::Context;
use bus::{Bus, BusError, CloudEvent, Record};
use evaluation::recording::Recording;
use schemas::{GraphSnapshot, Timestamp, Topic};
use service::Hint;
use tokio::time::Instant;

use crate::{
    config::{Config, open_bus},
    output::{format_hosts, format_millis},
};
pub use args::ReplayArgs;
use pace::Pace;
pub use pace::Speed;

/// Most records, and about the most bytes, that are published together.
const MAX_BATCH_RECORDS: usize = 256;
const MAX_BATCH_BYTES: usize = 2 << 20;
/// A replay that is later than this prints a warning.
const LATE: Duration = Duration::from_secs(1);

/// Publishes a recording to its end, or until a signal comes.
///
/// # Errors
/// If the file is not a recording, or the bus refuses records. If the file cannot be read to its
/// end, after publishing its complete snapshots.
pub async fn run(config: Config, args: &ReplayArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    let path = args.file.clone();
    let opening = tokio::task::spawn_blocking(move || Recording::open(&path));
    let Some(recording) = shutdown.run_until_cancelled(opening).await else { return Ok(()) };
    let mut recording = recording??;
    let bus = open_bus(&config).await?;
    let mut replay = Replay::new(args, &recording, Arc::clone(&bus));
    let outcome = shutdown.run_until_cancelled(replay.run(&mut recording)).await;
    replay.print_summary();
    bus.close().await;
    let Some(Ok(())) = outcome else { return outcome.unwrap_or(Ok(())) };
    if let Recording::RawReads(reads) = &recording {
        reads.print_cut_warning();
    }
    let context = format!("published only the {} complete snapshots of `{}`", recording.len(), args.file.display());
    recording.take_read_error().map_or(Ok(()), |error| Err(error.context(context)))
}

/// A replay in progress.
struct Replay {
    bus: Arc<dyn Bus>,
    pace: Pace,
    speed: Speed,
    copies: Option<u32>,
    cohort: Option<String>,
    /// A new run, so that snapshots are not taken for those of the recording or of another replay.
    run: String,
    sequences: HashMap<String, i64>,
    started: Instant,
    /// Milliseconds that are added to all times.
    time_shift_ms: i64,
    batch: Vec<Record>,
    batch_bytes: usize,
    total: usize,
    published: usize,
    is_late: bool,
}

impl Replay {
    fn new(args: &ReplayArgs, recording: &Recording, bus: Arc<dyn Bus>) -> Replay {
        let (first, last) = recording.time_range();
        let pace = Pace::new(args.speed, first, last);
        let speed = match args.speed {
            Speed::Max => "as fast as the bus accepts them".to_owned(),
            Speed::Times(_) => {
                format!("in {}", format_millis(i64::try_from(pace.duration().as_millis()).unwrap_or(i64::MAX)))
            }
        };
        eprintln!(
            "replaying {} snapshots of {} over {}, {speed}",
            recording.len(),
            format_hosts(recording.host_count()),
            format_millis(last.millis_since(first))
        );
        Replay {
            bus,
            time_shift_ms: pace.time_shift_ms(Timestamp::now()),
            pace,
            speed: args.speed,
            copies: args.hosts,
            cohort: args.cohort.clone(),
            run: uuid::Uuid::new_v4().to_string(),
            sequences: HashMap::new(),
            started: Instant::now(),
            batch: Vec::new(),
            batch_bytes: 0,
            total: recording.len() * args.hosts.map_or(1, |copies| copies as usize),
            published: 0,
            is_late: false,
        }
    }

    async fn run(&mut self, recording: &mut Recording) -> anyhow::Result<()> {
        for index in 0..recording.len() {
            self.wait_until(self.pace.due(recording.time(index))).await?;
            self.add(recording.snapshot(index)?).await?;
        }
        self.publish().await
    }

    /// Waits until `due` after the start. Before, publishes what is in the batch.
    async fn wait_until(&mut self, due: Duration) -> anyhow::Result<()> {
        if due > self.started.elapsed() {
            self.publish().await?;
            tokio::time::sleep(due.saturating_sub(self.started.elapsed())).await;
        }
        let late = self.started.elapsed().saturating_sub(due);
        if late > LATE && self.speed != Speed::Max && !self.is_late {
            self.is_late = true;
            eprintln!(
                "the replay is {:.1} s behind speed {}: continuing as fast as the bus accepts records",
                late.as_secs_f64(),
                self.speed
            );
        }
        Ok(())
    }

    /// Adds a snapshot, or its copies, to the batch.
    async fn add(&mut self, mut snapshot: GraphSnapshot) -> anyhow::Result<()> {
        let sequence = self.sequences.entry(snapshot.host.clone()).or_insert(0);
        snapshot.sequence = *sequence;
        *sequence += 1;
        snapshot.run.clone_from(&self.run);
        for time in [&mut snapshot.started_at, &mut snapshot.ended_at] {
            *time = Timestamp(time.0.saturating_add(self.time_shift_ms));
        }
        let is_own_cohort = self.cohort.is_none() && snapshot.cohort == snapshot.host;
        if let Some(cohort) = &self.cohort {
            snapshot.cohort.clone_from(cohort);
        }
        let bytes = schemas::encode(&snapshot)?;
        let Some(copies) = self.copies else {
            let host = snapshot.host.clone();
            return self.push(&snapshot, &host, bytes).await;
        };
        for copy in 1..=copies {
            let host = format!("{}-{copy}", snapshot.host);
            let cohort = if is_own_cohort { &host } else { &snapshot.cohort };
            let bytes =
                schemas::codec::replace_host(&bytes, &host, cohort).context("cannot rename the host of a snapshot")?;
            self.push(&snapshot, &host, bytes).await?;
        }
        Ok(())
    }

    async fn push(&mut self, snapshot: &GraphSnapshot, host: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let record = to_record(snapshot, host, bytes);
        self.batch_bytes += record.size();
        self.batch.push(record);
        if self.batch.len() >= MAX_BATCH_RECORDS || self.batch_bytes >= MAX_BATCH_BYTES {
            self.publish().await?;
        }
        Ok(())
    }

    async fn publish(&mut self) -> anyhow::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let count = batch.len();
        self.bus.publish(batch, None).await.hint_from(BusError::hint)?;
        self.published += count;
        Ok(())
    }

    fn print_summary(&self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = self.published as f64 / seconds.max(1e-3);
        eprintln!("published {} of {} snapshots in {seconds:.1} s, {rate:.1} per second", self.published, self.total);
    }
}

/// A snapshot as a record of the bus, in the binary form of CloudEvents. The time of the record is
/// now, however old the recording is: a broker deletes records by their times.
fn to_record(snapshot: &GraphSnapshot, host: &str, bytes: Vec<u8>) -> Record {
    let GraphSnapshot { run, sequence, ended_at, .. } = snapshot;
    Record::new(Topic::Snapshots, host, bytes, Timestamp::now()).with_cloud_event(CloudEvent {
        id: format!("{host}/{run}/{sequence}"),
        event_type: "detective.snapshot.v1",
        source: format!("detective-replay/{host}"),
        subject: host,
        time: *ended_at,
    })
}
