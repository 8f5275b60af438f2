//! The one place where the time is asked for.

use std::time::{Duration, Instant, SystemTime};

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

/// The time that the calling thread has had on a CPU.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
