//! The one place that asks for the time.

use std::time::SystemTime;

use schemas::Timestamp;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the one place where this crate asks for the time")]
pub fn now() -> Timestamp {
    SystemTime::now().into()
}
