//! Steps of the wall clock.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

/// A process that steps the wall clock. It restores the clock when this value is used or dropped,
/// or this process dies: it waits for the end of a pipe.
pub struct SteppedClock(Child);

/// Time between two steps.
const PERIOD: Duration = Duration::from_secs(60);
/// Offsets of the clock in successive periods, in seconds.
const OFFSETS_S: [i64; 8] = [0, 3600, 0, -3600, 0, 86_400, 0, -86_400];

impl SteppedClock {
    /// Starts the process.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn start() -> anyhow::Result<SteppedClock> {
        let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
        // A process group of its own, so that Ctrl-C does not end it before it restores the clock.
        command.args(["soak", "step-clock"]).process_group(0).stdin(Stdio::piped());
        Ok(SteppedClock(command.spawn().context("cannot run this program")?))
    }

    /// Checks that the process still runs.
    ///
    /// # Errors
    /// If it has ended. It printed the reason.
    pub fn check_runs(&mut self) -> anyhow::Result<()> {
        match self.0.try_wait()? {
            Some(status) => bail!("the process that steps the clock ended with {status}"),
            None => Ok(()),
        }
    }

    /// Restores the clock and waits until that is done.
    ///
    /// # Errors
    /// If the clock is not restored.
    pub fn restore(mut self) -> anyhow::Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait()?;
        ensure!(status.success(), "the process that restores the clock ended with {status}\nhint: check the clock");
        Ok(())
    }
}

/// Steps the wall clock until the standard input of this process ends, and restores it.
///
/// # Errors
/// If this process may not set the clock.
pub fn step_until_input_ends() -> anyhow::Result<()> {
    let wall_clock = WallClock::read();
    wall_clock.set(0)?;
    let stepped = wall_clock.step_until(&input_end()?);
    wall_clock.set(0).context("cannot restore the clock")?;
    stepped
}

/// A channel whose sender is dropped when the standard input ends.
fn input_end() -> anyhow::Result<Receiver<()>> {
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(sender);
    };
    std::thread::Builder::new().spawn(read).context("cannot start a thread")?;
    Ok(receiver)
}

/// The wall clock before the first step.
struct WallClock {
    /// Its difference to the time since boot, which steps do not change.
    boot_time: Timespec,
}

impl WallClock {
    fn read() -> WallClock {
        WallClock { boot_time: clock_gettime(ClockId::Realtime) - clock_gettime(ClockId::Boottime) }
    }

    fn step_until(&self, input_end: &Receiver<()>) -> anyhow::Result<()> {
        for offset_s in OFFSETS_S.into_iter().cycle() {
            self.set(offset_s)?;
            if input_end.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        Ok(())
    }

    /// Sets the clock to the time that it would show without steps, plus this offset.
    fn set(&self, offset_s: i64) -> anyhow::Result<()> {
        let offset = Timespec { tv_sec: offset_s, tv_nsec: 0 };
        let time = self.boot_time + clock_gettime(ClockId::Boottime) + offset;
        clock_settime(ClockId::Realtime, time).context("cannot set the clock")
    }
}
