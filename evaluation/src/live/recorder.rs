//! Sweeps of this host, into the file of the act that is on.

use std::{
    fs::File,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context;
use producer::{Producer, ProducerError, Sweeper};
use schemas::{GraphSnapshot, container::Writer};
use service::Hint;
use tokio::sync::oneshot;

const CANNOT_WRITE: &str = "cannot write what was recorded";

/// A thread that sweeps, whether anything is recorded or not: a producer knows more of what it has seen before.
pub struct Recorder {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

/// What is to become of the sweeps from now on; the answer says how many snapshots the file has that this ends.
struct Order {
    to: Option<Writer<GraphSnapshot, File>>,
    reply: oneshot::Sender<anyhow::Result<u64>>,
}

impl Recorder {
    /// Begins to sweep.
    ///
    /// # Errors
    /// If this host cannot be swept.
    pub fn start(producer: Producer) -> anyhow::Result<Recorder> {
        let interval = producer.sweep.interval;
        let sweeper = Sweeper::new(producer).hint_from(ProducerError::hint)?;
        let (orders, ordered) = channel();
        let thread = std::thread::Builder::new().name("sweep".to_owned()).spawn(move || {
            Sweeping { sweeper, writer: None, outcome: Ok(()) }.run(interval, &ordered);
        });
        Ok(Recorder { orders, thread: thread.context("cannot start a thread that sweeps")? })
    }

    /// Records into a new file from now on.
    ///
    /// # Errors
    /// If it is there already or cannot be written, or what was recorded before could not be.
    pub async fn record(&self, path: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot write `{}`", path.display());
        let file = File::options().write(true).create_new(true).open(path).with_context(cannot)?;
        self.order(Some(Writer::create(file).with_context(cannot)?)).await.map(drop)
    }

    /// Records no more, and says how many snapshots the file has.
    ///
    /// # Errors
    /// If a sweep or a write has failed since the file was begun.
    pub async fn pause(&self) -> anyhow::Result<u64> {
        self.order(None).await
    }

    async fn order(&self, to: Option<Writer<GraphSnapshot, File>>) -> anyhow::Result<u64> {
        let (reply, replied) = oneshot::channel();
        let sent = self.orders.send(Order { to, reply });
        sent.ok().context("the thread that sweeps has ended")?;
        replied.await.context("the thread that sweeps has ended")?
    }

    /// Sweeps no more.
    pub fn end(self) {
        drop(self.orders);
        // What it did is written; that it panicked was told.
        let _ = self.thread.join();
    }
}

struct Sweeping {
    sweeper: Sweeper,
    writer: Option<Writer<GraphSnapshot, File>>,
    outcome: anyhow::Result<()>,
}

impl Sweeping {
    fn run(mut self, interval: Duration, orders: &Receiver<Order>) {
        let mut due = Instant::now();
        loop {
            match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {
                    self.sweep();
                    // A sweep that took too long is not made up for.
                    due = (due + interval).max(Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let ended = std::mem::replace(&mut self.writer, order.to);
        let outcome = std::mem::replace(&mut self.outcome, Ok(()));
        let _ = order.reply.send(outcome.and_then(|()| ended.map_or(Ok(0), finish)));
    }

    /// The first failure is kept; a file with a gap is of no use.
    fn sweep(&mut self) {
        let swept = self.sweeper.sweep().context("a sweep has failed");
        let Some(writer) = self.writer.as_mut().filter(|_| self.outcome.is_ok()) else { return };
        // In large blocks: sweeps are alike, and many together take a third of the space.
        self.outcome = swept.and_then(|snapshot| writer.append(&snapshot).context(CANNOT_WRITE));
    }
}

fn finish(mut writer: Writer<GraphSnapshot, File>) -> anyhow::Result<u64> {
    writer.finish_block().context(CANNOT_WRITE)?;
    Ok(writer.records())
}
