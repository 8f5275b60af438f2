//! Runs blocking work on a dedicated thread at low priority.

use tokio::sync::oneshot;

use crate::TrainerError;

/// The default increment of `nice(1)`.
const NICENESS: i32 = 10;

/// Runs `work` on a new low-priority thread and returns its result.
///
/// The thread is not taken from a pool, because a pool thread would keep the low priority. Threads
/// that `work` starts inherit the priority: candle adds tensors of more than 64 Ki values on
/// several threads.
///
/// # Errors
/// [`TrainerError::Thread`] if the thread cannot be started or panics.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TrainerError> {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("training".to_owned()).spawn(move || {
        lower_priority();
        // The receiver is dropped if the caller stopped waiting.
        let _ = sender.send(work());
    });
    thread.map_err(|error| TrainerError::Thread { reason: error.to_string() })?;
    receiver.await.map_err(|_| TrainerError::Thread { reason: "it ended without a result".to_owned() })
}

/// Raises the niceness of the calling thread. On Linux, `setpriority` for process 0 changes only
/// the calling thread.
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "cannot lower the priority of training");
    }
}
