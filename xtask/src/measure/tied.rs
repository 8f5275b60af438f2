//! Processes that do not outlive what started them.

use std::{
    ffi::OsStr,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
};

use anyhow::Context;

/// A process that ends with this value, and with this process should that be killed.
pub struct Tied {
    /// What it is called in errors.
    pub name: String,
    child: Child,
}

impl Tied {
    /// A command that starts a program so. To be run by the main thread: the kernel ends the process with that.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).stdin(Stdio::null());
        command
    }

    /// Starts what [`Tied::command`] made.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn start(name: &str, command: &mut Command) -> anyhow::Result<Tied> {
        let child = command.spawn().with_context(|| format!("cannot run `{name}`"))?;
        Ok(Tied { name: name.to_owned(), child })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it writes, if that is piped; once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// What it says, if that is piped; once.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// If the system does not know.
    pub fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The most memory that it had resident so far, in megabytes.
    ///
    /// # Errors
    /// If it has ended.
    pub fn peak_rss_mb(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
        peak_rss_mb(&status).with_context(|| format!("no VmHWM in `{path}`: `{}` has ended", self.name))
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of a status file, rounded up to a tenth.
fn peak_rss_mb(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib * 1024).div_ceil(100_000) as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use super::{Tied, peak_rss_mb};

    #[test]
    fn kilobytes_of_the_kernel_are_1024_bytes() {
        assert_eq!(peak_rss_mb("Name:\tsleep\nVmHWM:\t   97657 kB\nVmRSS:\t 1 kB\n"), Some(100.1));
        assert_eq!(peak_rss_mb("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn a_process_ends_with_its_value() {
        let sleeper = Tied::start("sleep", Tied::command("sleep").arg("600")).expect("`sleep` runs");
        let folder = format!("/proc/{}", sleeper.child.id());
        assert!(sleeper.peak_rss_mb().expect("it runs") > 0.0);
        drop(sleeper);
        assert!(!std::path::Path::new(&folder).exists());
    }
}
