//! The one place where the time is asked for.

use std::time::{Duration, Instant, SystemTime};

use rustix::io::Errno;
use schemas::Timestamp;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the one place where this crate asks for the time")]
pub fn wall_clock() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// A time that never goes back.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The time that all threads of a process have had on a CPU, those that have ended included.
///
/// # Errors
/// If there is no such process.
pub fn process_cpu_time(pid: u32) -> Result<Duration, Errno> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| Errno::SRCH)?;
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both write to where there is room for it.
    let told = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) == 0 && libc::clock_gettime(clock, &raw mut time) == 0
    };
    if told { Ok(duration(time.tv_sec, time.tv_nsec)) } else { Err(Errno::SRCH) }
}

fn duration(seconds: i64, nanos: i64) -> Duration {
    Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0))
}

/// The time that the calling thread has had on a CPU.
pub fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    duration(time.tv_sec, time.tv_nsec)
}
