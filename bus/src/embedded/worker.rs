//! The threads that own the connections: SQLite blocks, which async threads must not.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{Notify, oneshot};

use crate::BusError;

/// Time between two checks for commits of other processes.
pub const POLL_INTERVAL: Duration = Duration::from_millis(100);

type Job<S> = Box<dyn FnOnce(&mut Connection, &mut S) + Send>;

/// A thread that owns a connection and a state. It finishes its jobs and ends when this is dropped.
pub struct Worker<S> {
    jobs: Sender<Job<S>>,
}

impl<S: Send + 'static> Worker<S> {
    /// Starts the thread. It notifies `commits`, if given, of the commits of other connections.
    pub fn start(
        name: &str,
        connection: Connection,
        state: S,
        commits: Option<Arc<Notify>>,
    ) -> Result<Worker<S>, BusError> {
        let (jobs, queue) = channel();
        let watcher = commits.map(CommitWatcher::new);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run_jobs(&queue, connection, state, watcher))
            .map_err(|source| BusError::Thread { source })?;
        Ok(Worker { jobs })
    }

    /// Runs `work` on the thread, after earlier jobs, and returns its result.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &mut S) -> T + Send + 'static,
    ) -> Result<T, BusError> {
        self.run_then(work, |_, _| ()).await
    }

    /// Runs `work` and returns its result. The thread then runs `after` before its next job.
    pub async fn run_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &mut S) -> T + Send + 'static,
        after: impl FnOnce(&mut Connection, &mut S) + Send + 'static,
    ) -> Result<T, BusError> {
        let (sender, receiver) = oneshot::channel();
        let job: Job<S> = Box::new(move |connection, state| {
            // Fails if the caller was dropped; the work is done all the same.
            let _ = sender.send(work(connection, state));
            after(connection, state);
        });
        self.jobs.send(job).map_err(|_| BusError::Stopped)?;
        receiver.await.map_err(|_| BusError::Stopped)
    }
}

fn run_jobs<S>(queue: &Receiver<Job<S>>, mut connection: Connection, mut state: S, mut watcher: Option<CommitWatcher>) {
    loop {
        let job = match &watcher {
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(watcher) => queue.recv_timeout(watcher.next_check_in()),
        };
        match job {
            Ok(job) => job(&mut connection, &mut state),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Some(watcher) = &mut watcher {
            watcher.check_if_due(&connection);
        }
    }
}

/// Detects commits of other connections, of this process or another.
struct CommitWatcher {
    commits: Arc<Notify>,
    version: Option<i64>,
    checked_at: Instant,
}

impl CommitWatcher {
    fn new(commits: Arc<Notify>) -> Self {
        CommitWatcher { commits, version: None, checked_at: Instant::now() }
    }

    fn next_check_in(&self) -> Duration {
        POLL_INTERVAL.saturating_sub(self.checked_at.elapsed())
    }

    fn check_if_due(&mut self, connection: &Connection) {
        if !self.next_check_in().is_zero() {
            return;
        }
        self.checked_at = Instant::now();
        // If the query fails, wake the readers: their own queries return the error.
        let version = connection.pragma_query_value(None, "data_version", |row| row.get(0)).ok();
        if version.is_none() || version != self.version {
            self.version = version;
            self.commits.notify_waiters();
        }
    }
}
