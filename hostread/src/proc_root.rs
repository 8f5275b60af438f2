//! A `/proc` filesystem.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{clock, directory::Directory, error::HostReadError, parse, seen::Seen, tape::Tape};

/// A `/proc` filesystem: this host's, another one that is mounted here, or a directory of a test.
pub struct ProcRoot {
    /// Root directory of the filesystem.
    pub directory: Directory,
    /// Path of the root directory, for messages.
    pub path: PathBuf,
    /// The tape that all reads go through.
    pub tape: Tape,
    /// Whether the filesystem is of this process's PID namespace, so that system calls accept its
    /// pids.
    pub is_own_pid_namespace: bool,
}

impl ProcRoot {
    /// Opens the `/proc` filesystem at `path`.
    ///
    /// # Errors
    /// If `path` is not a `/proc` filesystem.
    pub fn open(path: &Path, tape: Tape) -> Result<ProcRoot, HostReadError> {
        let Seen::Here(directory) = Directory::open(path, &tape) else {
            return Err(not_proc(path));
        };
        // `self` dangles if this process has no pid in the root's PID namespace.
        let exists = |name: &str| matches!(directory.link_mode(name), Seen::Here(_));
        if !(exists("stat") && exists("self")) {
            return Err(not_proc(path));
        }
        let mut buffer = Vec::new();
        let has_same_pid = own_pid(&directory, &mut buffer).is_some_and(|pid| pid == process_id(&tape));
        // The pids in two namespaces can be equal by chance. In an outer namespace, `NSpid` lists
        // both.
        let status = directory.read_page("self/status", &mut buffer).here();
        let depth = status.and_then(parse::process::parse_pid_namespace_depth);
        let is_own_pid_namespace = has_same_pid && depth.is_none_or(|depth| depth == 1);
        Ok(ProcRoot { directory, path: path.to_owned(), tape, is_own_pid_namespace })
    }

    /// CPU time of a process with all its threads, to the nanosecond. `Unsupported` if the
    /// root belongs to another PID namespace.
    pub fn cpu_time(&self, pid: u32) -> Seen<Duration> {
        if !self.is_own_pid_namespace {
            return Seen::Unsupported;
        }
        self.tape.value("cpu-time", &pid.to_string(), || clock::process_cpu_time(pid).into())
    }

    /// Pids of all processes, in the kernel's order.
    ///
    /// # Errors
    /// If there are none: something else is mounted at the path by now.
    pub fn pids(&self) -> Result<Vec<u32>, HostReadError> {
        let pids = self.directory.numeric_names().here();
        pids.filter(|pids| !pids.is_empty()).ok_or_else(|| HostReadError::Read {
            path: self.path.clone(),
            source: io::Error::from(io::ErrorKind::NotFound),
        })
    }
}

/// Pid of this process in the PID namespace of a `/proc` root. `None` if it has none there.
pub fn own_pid(root: &Directory, buffer: &mut Vec<u8>) -> Option<u64> {
    root.read_link("self", buffer).here().and_then(parse::number)
}

/// Pid of this process in its own PID namespace.
fn process_id(tape: &Tape) -> u64 {
    let pid = tape.value("own-pid", "", || Seen::Here(u64::from(std::process::id())));
    pid.here().unwrap_or(u64::MAX)
}

fn not_proc(path: &Path) -> HostReadError {
    let source = std::fs::metadata(path.join("self")).err().unwrap_or_else(|| io::ErrorKind::NotFound.into());
    HostReadError::NotProc { path: path.to_owned(), source }
}
