//! The one place that looks at the wall clock.

use std::time::SystemTime;

use schemas::Timestamp;

/// Now.
#[expect(clippy::disallowed_methods, reason = "this is the room's one clock")]
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
