//! Parsers: pure functions from the bytes of a file of the kernel to values. They accept any bytes
//! and never panic.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

pub mod cgroup;
pub mod cgroup_path;
pub mod container_label;
pub mod diskstats;
pub mod environ;
pub mod fdinfo;
pub mod frozen_wait;
pub mod interpreter;
pub mod locks;
pub mod mounts;
pub mod names;
pub mod net_counters;
pub mod proc_net;
pub mod process;
pub mod redact;
pub mod sock_diag;
pub mod sockets;
pub mod stat;
pub mod syscall;
pub mod system;
pub mod title;

/// Parses a decimal number without a sign. Nothing may precede or follow it.
#[inline]
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Parses a decimal number that may be negative. Nothing may precede or follow it.
#[inline]
pub fn signed(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(digits) => i64::try_from(number(digits)?).ok().map(|number| -number),
        None => i64::try_from(number(text)?).ok(),
    }
}

/// Parses a hexadecimal number without `0x`. Nothing may precede or follow it.
#[inline]
pub fn hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

/// Splits at spaces, tabs and line ends, and leaves out empty words.
#[inline]
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t' | b'\n')).filter(|word| !word.is_empty())
}

/// Splits into lines, and leaves out empty ones.
#[inline]
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The rest of the first line that starts with `key`, trimmed.
#[inline]
pub fn value_of<'t>(text: &'t [u8], key: &[u8]) -> Option<&'t [u8]> {
    lines(text).find_map(|line| line.strip_prefix(key)).map(|value| value.trim_ascii())
}

/// Converts text of the kernel to UTF-8 that can be shown: see [`escape`](schemas::text::escape).
#[inline]
pub fn text(bytes: &[u8]) -> String {
    schemas::text::escape(bytes)
}

/// Converts a path to text that can be shown. [`path_from_text`] returns the same path again.
pub fn path_text(path: impl AsRef<OsStr>) -> String {
    text(path.as_ref().as_bytes())
}

/// Returns the path that [`text`] or [`path_text`] converted.
pub fn path_from_text(text: &str) -> PathBuf {
    PathBuf::from(OsString::from_vec(schemas::text::unescape(text)))
}
