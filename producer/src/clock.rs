//! The one place where the time is asked for.

use std::time::{Instant, SystemTime};

use schemas::Timestamp;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the one place where this crate asks for the time")]
pub fn wall() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// A time that never goes back.
pub fn monotonic() -> Instant {
    Instant::now()
}
