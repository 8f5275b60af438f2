//! Signals as a token that everybody can wait for.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// As a shell reports the end by an interrupt.
const INTERRUPTED: i32 = 130;

/// A token that SIGTERM or SIGINT (Ctrl-C) cancels; a SIGINT after either ends the process at once, with code 130.
///
/// The signals are taken over before this returns. Must be called within a tokio runtime; fails where the system
/// grants no signal handler.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let mut asked_before = false;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                // Who asks again does not want to wait for an orderly end.
                _ = interrupt.recv() => if asked_before { std::process::exit(INTERRUPTED) }
            }
            asked_before = true;
            cancelled.cancel();
        }
    });
    Ok(token)
}
