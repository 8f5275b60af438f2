//! The one place where the time of day is asked for.

use std::time::SystemTime;

use schemas::Timestamp;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the one place where this crate asks for the time")]
pub fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
