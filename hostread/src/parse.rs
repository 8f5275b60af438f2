//! Bytes to facts: pure functions, one file of the kernel each. Nothing here reads, and nothing panics.

pub mod cgroup;
pub mod cgroup_path;
pub mod diskstats;
pub mod environ;
pub mod fdinfo;
pub mod frozen_wait;
pub mod locks;
pub mod mounts;
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

/// A decimal number without sign, and nothing else.
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

/// A decimal number that may be negative, and nothing else.
#[inline]
pub fn signed(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(digits) => i64::try_from(number(digits)?).ok().map(|number| -number),
        None => i64::try_from(number(text)?).ok(),
    }
}

/// A hexadecimal number without `0x`, and nothing else.
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

/// Words between spaces and tabs.
#[inline]
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t' | b'\n')).filter(|word| !word.is_empty())
}

/// Lines without their ends.
#[inline]
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The value of the first line that begins with `key`, without space around it.
#[inline]
pub fn value_of<'t>(text: &'t [u8], key: &[u8]) -> Option<&'t [u8]> {
    lines(text).find_map(|line| line.strip_prefix(key)).map(|value| value.trim_ascii())
}

/// Kernel text for records: UTF-8, with what is not replaced.
#[inline]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
