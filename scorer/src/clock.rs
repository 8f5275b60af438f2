//! The one place that asks what time it is.

use std::time::SystemTime;

use schemas::Timestamp;

/// Now, by the system's clock.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    SystemTime::now().into()
}
