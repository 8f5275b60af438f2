//! The one place that asks what time it is.

use std::time::SystemTime;

use schemas::Timestamp;

/// Now, by the system's clock.
pub fn now() -> Timestamp {
    SystemTime::now().into()
}
