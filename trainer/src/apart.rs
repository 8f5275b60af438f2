//! Work that takes one core, at low priority, away from the threads that serve.

use tokio::sync::oneshot;

use crate::TrainerError;

/// As `nice` does it by default.
const NICENESS: i32 = 10;

/// Runs `work` on a thread of its own and waits for what it returns.
///
/// Not on a thread of a pool, which would keep the low priority. What the thread starts inherits it: above 64 Ki values
/// the library that computes adds on several threads.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TrainerError> {
    let (answer, answered) = oneshot::channel();
    let thread = std::thread::Builder::new().name("training".to_owned()).spawn(move || {
        lower_priority();
        // Whoever waited may be gone.
        let _ = answer.send(work());
    });
    thread.map_err(|error| TrainerError::Thread { reason: error.to_string() })?;
    answered.await.map_err(|_| TrainerError::Thread { reason: "it ended without an answer".to_owned() })
}

/// On Linux priority belongs to a thread, and "this process" means the calling one.
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "training keeps its priority");
    }
}
