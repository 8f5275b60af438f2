//! Standard output, whose reader may go away; and numbers in words.

use std::{
    io::{ErrorKind, Write, stdout},
    time::Duration,
};

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

/// So many hosts, in words.
pub fn hosts(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

/// So many milliseconds, in words.
pub fn span(millis: i64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}
