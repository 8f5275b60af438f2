//! Sweeps this host, and records the sweeps of each step into a file.

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

const CANNOT_WRITE: &str = "cannot write the recording";
const THREAD_ENDED: &str = "the sweep thread has ended";

/// A thread that sweeps the host, recording or not: rates and history need the sweeps before.
pub struct Recorder {
    requests: Sender<Request>,
    thread: JoinHandle<()>,
}

/// Ends the current file and starts the next one, if there is one. The reply is the number of
/// snapshots in the file that ended.
struct Request {
    next: Option<Writer<GraphSnapshot, File>>,
    reply: oneshot::Sender<anyhow::Result<u64>>,
}

impl Recorder {
    /// Starts to sweep.
    ///
    /// # Errors
    /// If this host cannot be swept.
    pub fn start(producer: Producer) -> anyhow::Result<Recorder> {
        let interval = producer.sweep.interval;
        let sweeper = Sweeper::new(producer).hint_from(ProducerError::hint)?;
        let (requests, receiver) = channel();
        let thread = std::thread::Builder::new().name("sweep".to_owned()).spawn(move || {
            SweepThread { sweeper, writer: None, outcome: Ok(()) }.run(interval, &receiver);
        });
        Ok(Recorder { requests, thread: thread.context("cannot start the sweep thread")? })
    }

    /// Ends the current file, and records into a new one.
    ///
    /// # Errors
    /// If the new file exists or cannot be written, or a sweep or write of the current file failed.
    pub async fn start_file(&self, path: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot write `{}`", path.display());
        let file = File::options().write(true).create_new(true).open(path).with_context(cannot)?;
        self.switch(Some(Writer::create(file).with_context(cannot)?)).await.map(drop)
    }

    /// Ends the current file, and returns its number of snapshots.
    ///
    /// # Errors
    /// If a sweep or write of the file failed.
    pub async fn end_file(&self) -> anyhow::Result<u64> {
        self.switch(None).await
    }

    async fn switch(&self, next: Option<Writer<GraphSnapshot, File>>) -> anyhow::Result<u64> {
        let (reply, replied) = oneshot::channel();
        let sent = self.requests.send(Request { next, reply });
        sent.ok().context(THREAD_ENDED)?;
        replied.await.context(THREAD_ENDED)?
    }

    /// Stops sweeping.
    pub fn stop(self) {
        drop(self.requests);
        // Files are ended before, and a panic was printed.
        let _ = self.thread.join();
    }
}

struct SweepThread {
    sweeper: Sweeper,
    writer: Option<Writer<GraphSnapshot, File>>,
    /// The first failure since the current file was started.
    outcome: anyhow::Result<()>,
}

impl SweepThread {
    fn run(mut self, interval: Duration, requests: &Receiver<Request>) {
        let mut due = Instant::now();
        loop {
            match requests.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(request) => self.switch(request),
                Err(RecvTimeoutError::Timeout) => {
                    self.sweep();
                    // Do not catch up after a sweep that took too long.
                    due = (due + interval).max(Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn switch(&mut self, request: Request) {
        let ended = std::mem::replace(&mut self.writer, request.next);
        let outcome = std::mem::replace(&mut self.outcome, Ok(()));
        let _ = request.reply.send(outcome.and_then(|()| ended.map_or(Ok(0), finish)));
    }

    /// After a failure nothing more is written: a recording with a gap is useless.
    fn sweep(&mut self) {
        let swept = self.sweeper.sweep().context("a sweep failed");
        let Some(writer) = self.writer.as_mut().filter(|_| self.outcome.is_ok()) else { return };
        // Large blocks take a third of the space, because sweeps resemble each other.
        self.outcome = swept.and_then(|snapshot| writer.append(&snapshot).context(CANNOT_WRITE));
    }
}

fn finish(mut writer: Writer<GraphSnapshot, File>) -> anyhow::Result<u64> {
    writer.finish_block().context(CANNOT_WRITE)?;
    Ok(writer.records_written())
}
