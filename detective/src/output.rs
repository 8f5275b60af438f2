//! Prints to standard output, and formats counts and times.

use std::{
    io::{ErrorKind, Write, stdout},
    time::Duration,
};

use anyhow::Context;

/// Prints `text`. A closed pipe is not an error: readers such as `head` stop early.
///
/// # Errors
/// If standard output fails for another reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write to standard output"),
    }
}

/// Formats a number of hosts.
pub fn format_hosts(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

/// Formats a duration in milliseconds; negative ones are zero.
pub fn format_millis(millis: i64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// Formats a number of bytes in megabytes.
pub fn format_megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
