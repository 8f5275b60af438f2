//! Work that takes one core, at low priority, away from the threads that serve.

use rayon::ThreadPoolBuilder;
use tokio::sync::oneshot;

use crate::TrainerError;

/// As `nice` does it by default.
const NICENESS: i32 = 10;

/// Runs `work` on a thread of its own and waits for what it returns.
///
/// The thread is a pool of one, because the library that multiplies matrices spreads over whatever pool it runs in.
/// What it starts by itself (for more than 64 Ki values at once it adds on several threads) inherits the priority.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TrainerError> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "training".to_owned())
        .start_handler(|_| lower_priority())
        .panic_handler(|_| tracing::error!("training panicked"))
        .build()
        .map_err(|error| TrainerError::Thread { reason: error.to_string() })?;
    let (answer, answered) = oneshot::channel();
    pool.spawn(move || {
        // Whoever waited may be gone.
        let _ = answer.send(work());
    });
    answered.await.map_err(|_| TrainerError::Thread { reason: "it ended without an answer".to_owned() })
}

/// On Linux priority belongs to a thread, and "this process" means the calling one.
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "training keeps its priority");
    }
}
