//! The clocks of this machine. Sweeps read them through a [`Tape`](crate::Tape).

use std::time::{Duration, Instant};

use rustix::io::Errno;

/// The current time of the monotonic clock.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// CPU time of a process: of all its threads, including those that have ended.
///
/// # Errors
/// If there is no such process.
pub fn process_cpu_time(pid: u32) -> Result<Duration, Errno> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| Errno::SRCH)?;
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls write to a local variable of the type that they expect.
    let is_read = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) == 0 && libc::clock_gettime(clock, &raw mut time) == 0
    };
    if is_read { Ok(duration(time.tv_sec, time.tv_nsec)) } else { Err(Errno::SRCH) }
}

/// CPU time of the calling thread.
pub fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    duration(time.tv_sec, time.tv_nsec)
}

fn duration(seconds: i64, nanos: i64) -> Duration {
    Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0))
}
