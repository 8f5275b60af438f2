//! Child processes that do not outlive this process.

use std::{
    ffi::OsStr,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
};

use anyhow::Context;

/// A child process that is killed when this value is dropped, and when this process dies.
pub struct ScopedChild {
    /// Its name in error messages.
    pub name: String,
    child: Child,
}

impl ScopedChild {
    /// A command whose process the kernel kills when the thread that starts it ends. Start it from
    /// the main thread.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).stdin(Stdio::null());
        command
    }

    /// Starts a command that [`ScopedChild::command`] returned.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn start(name: &str, command: &mut Command) -> anyhow::Result<ScopedChild> {
        let child = command.spawn().with_context(|| format!("cannot run `{name}`"))?;
        Ok(ScopedChild { name: name.to_owned(), child })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The standard output if it is piped; `None` after the first call.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The standard error if it is piped; `None` after the first call.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// The exit status; `None` while the process runs.
    ///
    /// # Errors
    /// If the status cannot be read.
    pub fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The resident memory, in megabytes.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn rss_mb(&self) -> anyhow::Result<f64> {
        self.read_mb("VmRSS")
    }

    /// The peak resident memory so far, in megabytes.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn peak_rss_mb(&self) -> anyhow::Result<f64> {
        self.read_mb("VmHWM")
    }

    fn read_mb(&self, field: &str) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
        parse_mb(&status, field).with_context(|| format!("no {field} in `{path}`: `{}` has ended", self.name))
    }
}

impl Drop for ScopedChild {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A size in `/proc/PID/status`, rounded up to a tenth of a megabyte.
fn parse_mb(status: &str, field: &str) -> Option<f64> {
    let size = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib * 1024).div_ceil(100_000) as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use super::{ScopedChild, parse_mb};

    #[test]
    fn a_kilobyte_of_the_kernel_is_1024_bytes() {
        let status = "Name:\tsleep\nVmHWM:\t   97657 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(parse_mb(status, "VmHWM"), Some(100.1));
        assert_eq!(parse_mb(status, "VmRSS"), Some(0.1));
        assert_eq!(parse_mb("Name:\tkthreadd\n", "VmHWM"), None);
    }

    #[test]
    fn a_process_ends_when_its_value_is_dropped() {
        let mut command = ScopedChild::command("sleep");
        let sleeper = ScopedChild::start("sleep", command.arg("600")).expect("`sleep` starts");
        let folder = format!("/proc/{}", sleeper.child.id());
        assert!(sleeper.peak_rss_mb().expect("it runs") > 0.0);
        drop(sleeper);
        assert!(!std::path::Path::new(&folder).exists());
    }
}
