//! Standard output, whose reader may go away.

use std::io::{ErrorKind, Write, stdout};

use anyhow::Context;

/// Prints text as it is. One who reads no more, as `head` when it has enough, is no error.
///
/// # Errors
/// If it cannot be written for another reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write to standard output"),
    }
}
