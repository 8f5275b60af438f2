//! The threads that own the connections: SQLite blocks, and async threads must not.

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

/// How often a worker looks for the commits of other processes.
pub const POLL: Duration = Duration::from_millis(100);

type Job<S> = Box<dyn FnOnce(&mut Connection, &mut S) + Send>;

/// A thread with a connection and what belongs to it. It ends when this is dropped and its jobs are done.
pub struct Worker<S> {
    jobs: Sender<Job<S>>,
}

impl<S: Send + 'static> Worker<S> {
    /// Starts the thread; with `news` it also tells of the commits of other connections.
    pub fn start(
        name: &str,
        connection: Connection,
        state: S,
        news: Option<Arc<Notify>>,
    ) -> Result<Worker<S>, BusError> {
        let (jobs, inbox) = channel();
        let watch = news.map(Watch::new);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(&inbox, connection, state, watch))
            .map_err(|source| BusError::Thread { source })?;
        Ok(Worker { jobs })
    }

    /// What `work` returns, once the jobs before it are done.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &mut S) -> T + Send + 'static,
    ) -> Result<T, BusError> {
        self.run_then(work, |_, _| ()).await
    }

    /// What `work` returns; the worker does `after` before its next job, but nobody waits for it.
    pub async fn run_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &mut S) -> T + Send + 'static,
        after: impl FnOnce(&mut Connection, &mut S) + Send + 'static,
    ) -> Result<T, BusError> {
        let (answer, answered) = oneshot::channel();
        let job: Job<S> = Box::new(move |connection, state| {
            // Who asked may have gone away meanwhile; the work is done all the same.
            let _ = answer.send(work(connection, state));
            after(connection, state);
        });
        self.jobs.send(job).map_err(|_| BusError::Stopped)?;
        answered.await.map_err(|_| BusError::Stopped)
    }
}

fn serve<S>(inbox: &Receiver<Job<S>>, mut connection: Connection, mut state: S, mut watch: Option<Watch>) {
    loop {
        let job = match &watch {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(watch) => inbox.recv_timeout(watch.due_in()),
        };
        match job {
            Ok(job) => job(&mut connection, &mut state),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Some(watch) = &mut watch {
            watch.look(&connection);
        }
    }
}

/// Notices that another connection, of this process or another, has committed.
struct Watch {
    news: Arc<Notify>,
    version: Option<i64>,
    looked: Instant,
}

impl Watch {
    fn new(news: Arc<Notify>) -> Self {
        Watch { news, version: None, looked: Instant::now() }
    }

    fn due_in(&self) -> Duration {
        POLL.saturating_sub(self.looked.elapsed())
    }

    fn look(&mut self, connection: &Connection) {
        if !self.due_in().is_zero() {
            return;
        }
        self.looked = Instant::now();
        // A failure here is not lost: waiters look for themselves and meet it, woken as by news.
        let version = connection.pragma_query_value(None, "data_version", |row| row.get(0)).ok();
        if version.is_none() || version != self.version {
            self.version = version;
            self.news.notify_waiters();
        }
    }
}
