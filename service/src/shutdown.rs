//! Signals as a cancellation token.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after SIGINT, as shells report it: 128 plus the signal's number.
const EXIT_CODE_SIGINT: i32 = 130;

/// Returns a token that SIGTERM and SIGINT (Ctrl-C) cancel. A SIGINT after either signal ends the
/// process at once, with exit code 130.
///
/// The handlers are installed when this returns. Call it within a tokio runtime.
///
/// # Errors
/// If the system refuses to install a signal handler.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let mut is_second = false;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => if is_second { std::process::exit(EXIT_CODE_SIGINT) }
            }
            is_second = true;
            cancelled.cancel();
        }
    });
    Ok(token)
}
