//! Sweeps at an interval until told to stop, and leaves the snapshots to the one who delivers them.

use std::{pin::pin, sync::Arc, time::Duration};

use bus::{Bus, Record};
use service::report::chain;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Producer, ProducerError, Sweeper,
    emit::{delivery::deliver, outbox::Outbox, record},
};

/// How long what still waits at the end is tried to be delivered.
const TIME_TO_DELIVER: Duration = Duration::from_secs(2);

/// Watches a host until `shutdown`.
///
/// A sweep that fails is told once, and so is the recovery; the loop goes on. While the bus is slow or away, sweeps keep
/// their interval, and up to `sweep.queue_bytes` of snapshots wait. Those that are dropped or never came to be are counted:
/// the next sweep's snapshot carries the count in its coverage, as signal `snapshot`.
///
/// # Errors
/// If the settings cannot be followed, the root is no `proc` file system, a sweep panics, or the bus has stopped for
/// good.
pub async fn run(producer: Producer, bus: Arc<dyn Bus>, shutdown: CancellationToken) -> Result<(), ProducerError> {
    let outbox = Outbox::new(producer.sweep.queue_bytes);
    let mut delivering = pin!(deliver(&outbox, bus.as_ref(), &shutdown));
    let swept = tokio::select! {
        swept = sweep_on(producer, &outbox, &shutdown) => swept,
        stopped = &mut delivering => return Ok(stopped?),
    };
    outbox.close();
    // What is on its way when the time is up may or may not arrive; the next run is another one.
    let _ = timeout(TIME_TO_DELIVER, delivering).await;
    let snapshots = outbox.n_undelivered();
    if snapshots > 0 {
        tracing::warn!(snapshots, "snapshots were not delivered");
    }
    swept
}

/// Sweeps at the interval, whatever becomes of the snapshots.
async fn sweep_on(producer: Producer, outbox: &Outbox, shutdown: &CancellationToken) -> Result<(), ProducerError> {
    let mut interval = tokio::time::interval(producer.sweep.interval.max(crate::SweepConfig::SHORTEST));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (ask, asked) = mpsc::channel(1);
    let (answer, mut swept) = mpsc::channel(1);
    // All sweeps are on one thread: what the allocator keeps for the next one it keeps once, and not for each thread.
    let sweeping = tokio::task::spawn_blocking(move || sweep_when(producer, asked, &answer));
    let mut trouble = Trouble::default();
    while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
        let reported_drops = outbox.take_unreported();
        if ask.send(reported_drops).await.is_err() {
            break;
        }
        match swept.recv().await {
            Some(Ok(record)) => {
                trouble.over();
                outbox.push(record, reported_drops);
            }
            Some(Err(error)) => {
                trouble.on(&error);
                outbox.miss(reported_drops);
            }
            None => break,
        }
    }
    drop(ask);
    sweeping.await.map_err(|source| ProducerError::Panicked { source })?
}

/// Sweeps each time that it is asked to, by how many dropped snapshots are to be told of.
fn sweep_when(
    producer: Producer,
    mut asked: mpsc::Receiver<i64>,
    answer: &mpsc::Sender<Result<Record, ProducerError>>,
) -> Result<(), ProducerError> {
    let mut sweeper = Sweeper::new(producer)?;
    while let Some(reported_drops) = asked.blocking_recv() {
        let swept = sweeper.sweep().and_then(|snapshot| Ok(record::with_drop_count(snapshot, reported_drops)?));
        let _ = answer.blocking_send(swept);
    }
    Ok(())
}

/// Sweeps that fail again and again are told once, and once that it is over.
#[derive(Default)]
struct Trouble {
    times: u64,
}

impl Trouble {
    fn on(&mut self, error: &ProducerError) {
        if self.times == 0 {
            tracing::warn!(error = %chain(error), "a sweep failed; trying on");
        }
        self.times += 1;
    }

    fn over(&mut self) {
        if self.times > 0 {
            tracing::info!(failures = self.times, "sweeps work again");
        }
        self.times = 0;
    }
}
