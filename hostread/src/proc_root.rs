//! A `/proc` filesystem.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{clock, directory::Directory, error::HostReadError, parse, seen::Seen, tape::Tape};

/// A `proc` file system: this host's, another's that is mounted here, or a tree in a test.
pub struct ProcRoot {
    /// The open root.
    pub directory: Directory,
    /// Its path, for messages.
    pub path: PathBuf,
    /// Where answers come from.
    pub tape: Tape,
    /// Whether this process has the same number in it as it has for itself, and so have all others.
    pub is_own_pid_namespace: bool,
}

impl ProcRoot {
    /// Opens a root and looks whether it is one.
    pub fn open(path: &Path, tape: Tape) -> Result<ProcRoot, HostReadError> {
        let Seen::Here(directory) = Directory::open(path, &tape) else {
            return Err(not_proc(path));
        };
        // `self` dangles where this process has no number in the root's PID namespace.
        let is_here = |name: &str| matches!(directory.link_mode(name), Seen::Here(_));
        if !(is_here("stat") && is_here("self")) {
            return Err(not_proc(path));
        }
        let mut buffer = Vec::new();
        let is_numbered_alike = own_pid(&directory, &mut buffer).is_some_and(|pid| pid == process_id(&tape));
        // In a PID namespace two numbers can be the same by chance; then the root tells both.
        let numbers =
            directory.read_page("self/status", &mut buffer).here().and_then(parse::process::parse_pid_namespace_depth);
        let is_own = is_numbered_alike && numbers.is_none_or(|numbers| numbers == 1);
        Ok(ProcRoot { directory, path: path.to_owned(), tape, is_own_pid_namespace: is_own })
    }

    /// What the threads of a process have had of the CPU, to the nanosecond, which is not told of processes that have other numbers here
    /// than for this process.
    pub fn cpu_time(&self, pid: u32) -> Seen<Duration> {
        if !self.is_own_pid_namespace {
            return Seen::Unsupported;
        }
        self.tape.value("cpu-time", &pid.to_string(), || clock::process_cpu_time(pid).into())
    }

    /// Ids of all processes, in the kernel's order.
    pub fn pids(&self) -> Result<Vec<u32>, HostReadError> {
        let pids = self.directory.numeric_names().here();
        // Every host has processes; none at all means that something else is mounted here by now.
        pids.filter(|pids| !pids.is_empty()).ok_or_else(|| HostReadError::Read {
            path: self.path.clone(),
            source: io::Error::from(io::ErrorKind::NotFound),
        })
    }
}

/// This process's number as the root counts; none if it has none there.
pub fn own_pid(root: &Directory, buffer: &mut Vec<u8>) -> Option<u64> {
    root.read_link("self", buffer).here().and_then(parse::number)
}

/// This process's number as it is told itself.
fn process_id(tape: &Tape) -> u64 {
    let pid = tape.value("own-pid", "", || Seen::Here(u64::from(std::process::id())));
    pid.here().unwrap_or(u64::MAX)
}

fn not_proc(path: &Path) -> HostReadError {
    let source = std::fs::metadata(path.join("self")).err().unwrap_or_else(|| io::ErrorKind::NotFound.into());
    HostReadError::NotProc { path: path.to_owned(), source }
}
