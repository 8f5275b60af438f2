//! Snapshots from a file onto the bus, in the rhythm in which they were recorded: those that are in it, or those that the raw reads in
//! it give.

mod pace;

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use bus::{Bus, BusError, CloudEvent, Record};
use clap::Args;
use evaluation::recording::Recording;
use schemas::{GraphSnapshot, Timestamp, Topic};
use service::Hint;
use tokio::time::Instant;

use pace::Pace;
pub use pace::Speed;

use crate::{
    config::Config,
    output::{hosts, span},
};

/// Flags of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A file that `detective record` made.
    pub file: PathBuf,
    /// So many times as fast as it was recorded, or `max`: as fast as the bus takes it.
    #[arg(long, value_name = "X", default_value = "1", allow_negative_numbers = true)]
    pub speed: Speed,
    /// Publish each snapshot so many times, as hosts `ID-1`, `ID-2` and so on.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub hosts: Option<u32>,
    /// Put all hosts in this cohort. Without it, a host that was a cohort of its own stays one, under its new name.
    #[arg(long, value_name = "NAME")]
    pub cohort: Option<String>,
}

/// Records that are due are published together, up to so many and about so many bytes.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 2 << 20;
/// A replay that is later than this is told.
const LATE: Duration = Duration::from_secs(1);

fn at_least_one(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number from 1: how many hosts each host becomes".to_owned())
}

/// Publishes a recording until it ends or a signal comes.
///
/// # Errors
/// If the file is no recording, the bus does not take it, or the file could not be read to its end: then after what could be.
pub async fn run(config: Config, args: &ReplayArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    let path = args.file.clone();
    let opening = tokio::task::spawn_blocking(move || Recording::open(&path));
    let Some(recording) = shutdown.run_until_cancelled(opening).await else { return Ok(()) };
    let mut recording = recording??;
    let bus = crate::config::open(&config).await?;
    let mut player = Player::new(args, &recording, Arc::clone(&bus));
    let played = shutdown.run_until_cancelled(player.play(&mut recording)).await;
    player.tell_end();
    bus.close().await;
    let Some(Ok(())) = played else { return played.unwrap_or(Ok(())) };
    if let Recording::RawReads(reads) = &recording {
        reads.print_cut_warning();
    }
    let whole = format!("all {} whole snapshots of `{}` are published", recording.len(), args.file.display());
    recording.take_read_error().map_or(Ok(()), |broken| Err(broken.context(whole)))
}

struct Player {
    bus: Arc<dyn Bus>,
    pace: Pace,
    speed: Speed,
    copies: Option<u32>,
    cohort: Option<String>,
    /// A run of its own, so that what was replayed or seen before is not taken for the same.
    run: String,
    sequences: HashMap<String, i64>,
    begun: Instant,
    shift: i64,
    batch: Vec<Record>,
    batch_bytes: usize,
    total: usize,
    published: usize,
    is_late: bool,
}

impl Player {
    fn new(args: &ReplayArgs, recording: &Recording, bus: Arc<dyn Bus>) -> Player {
        let (first, last) = recording.time_range();
        let pace = Pace::new(args.speed, first, last);
        let takes = match args.speed {
            Speed::Max => "as fast as the bus takes them".to_owned(),
            Speed::Times(_) => {
                format!("in {}", span(i64::try_from(pace.takes().as_millis()).unwrap_or(i64::MAX)))
            }
        };
        eprintln!(
            "replaying {} snapshots of {} over {}, {takes}",
            recording.len(),
            hosts(recording.host_count()),
            span(last.millis_since(first))
        );
        Player {
            bus,
            shift: pace.shift(Timestamp::now()),
            pace,
            speed: args.speed,
            copies: args.hosts,
            cohort: args.cohort.clone(),
            run: uuid::Uuid::new_v4().to_string(),
            sequences: HashMap::new(),
            begun: Instant::now(),
            batch: Vec::new(),
            batch_bytes: 0,
            total: recording.len() * args.hosts.map_or(1, |copies| copies as usize),
            published: 0,
            is_late: false,
        }
    }

    async fn play(&mut self, recording: &mut Recording) -> anyhow::Result<()> {
        for at in 0..recording.len() {
            self.wait_for(self.pace.due(recording.time(at))).await?;
            self.add(recording.snapshot(at)?).await?;
        }
        self.publish().await
    }

    /// Waits until it is time, once everything that was due before is published.
    async fn wait_for(&mut self, due: Duration) -> anyhow::Result<()> {
        if due > self.begun.elapsed() {
            self.publish().await?;
            tokio::time::sleep(due.saturating_sub(self.begun.elapsed())).await;
        }
        let late = self.begun.elapsed().saturating_sub(due);
        if late > LATE && self.speed != Speed::Max && !self.is_late {
            self.is_late = true;
            eprintln!(
                "the replay does not keep up with speed {}: {:.1} s behind, going on as fast as the bus takes it",
                self.speed,
                late.as_secs_f64()
            );
        }
        Ok(())
    }

    /// Adds a snapshot, or its copies, to what is published next.
    async fn add(&mut self, mut snapshot: GraphSnapshot) -> anyhow::Result<()> {
        let sequence = self.sequences.entry(snapshot.host.clone()).or_insert(0);
        (snapshot.sequence, *sequence) = (*sequence, *sequence + 1);
        snapshot.run.clone_from(&self.run);
        for time in [&mut snapshot.started_at, &mut snapshot.ended_at] {
            *time = Timestamp(time.0.saturating_add(self.shift));
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
                schemas::codec::replace_host(&bytes, &host, cohort).context("a snapshot's names cannot be replaced")?;
            self.push(&snapshot, &host, bytes).await?;
        }
        Ok(())
    }

    async fn push(&mut self, snapshot: &GraphSnapshot, host: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let record = record(snapshot, host, bytes);
        self.batch_bytes += record.size();
        self.batch.push(record);
        if self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES { self.publish().await } else { Ok(()) }
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

    fn tell_end(&self) {
        let took = self.begun.elapsed();
        let rate = self.published as f64 / took.as_secs_f64().max(1e-3);
        let (published, total, took) = (self.published, self.total, took.as_secs_f64());
        eprintln!("published {published} of {total} snapshots in {took:.1} s, {rate:.1} a second");
    }
}

/// A snapshot as a record of the bus, in CloudEvents' binary form. The record's own time is now, however old the recording is: a
/// broker forgets records by it.
fn record(snapshot: &GraphSnapshot, host: &str, bytes: Vec<u8>) -> Record {
    let GraphSnapshot { run, sequence, ended_at, .. } = snapshot;
    Record::new(Topic::Snapshots, host, bytes, Timestamp::now()).with_cloud_event(CloudEvent {
        id: format!("{host}/{run}/{sequence}"),
        event_type: "detective.snapshot.v1",
        source: format!("detective-replay/{host}"),
        subject: host,
        time: *ended_at,
    })
}
