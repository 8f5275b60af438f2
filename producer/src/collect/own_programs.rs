//! Which processes are Local Detective's own, which are never shown.
//!
//! A name proves nothing: any user can start a program called `detective`. A process is Local
//! Detective's own if it runs one of the executables that are installed next to that of this
//! process, or one that the settings list, for root or for the user of this process.

use std::collections::BTreeSet;

use hostread::{ProcRoot, Seen, parse, process::OpenProcess, rights::Rights};

use crate::collect::{files::FileKey, process::ProcessInfo};

/// Names of Local Detective's executables.
const PROGRAMS: [&str; 4] = ["detective", "detective-producer", "detective-scorer", "detective-trainer"];

const ROOT_USER: u64 = 0;

/// Executables of Local Detective.
#[derive(Debug)]
pub struct OwnPrograms {
    // Paths that the settings list, as text.
    listed: Vec<String>,
    user: Option<u64>,
    // The files of this sweep, and those that a process runs: after an upgrade they have no path
    // any more. A file that runs keeps its inode number.
    files: BTreeSet<FileKey>,
    in_use: BTreeSet<FileKey>,
}

impl OwnPrograms {
    /// Returns the executables that the settings list, separated by colons. [`begin_sweep`] adds
    /// those next to the executable of this process.
    ///
    /// [`begin_sweep`]: OwnPrograms::begin_sweep
    pub fn new(listed: &str, root: &ProcRoot, buffer: &mut Vec<u8>) -> OwnPrograms {
        let paths = listed.split(':').filter(|path| !path.is_empty());
        let rights = root.directory.read("self/status", buffer).here().and_then(Rights::from_status);
        OwnPrograms {
            listed: paths.map(|path| parse::text(path.as_bytes())).collect(),
            user: rights.map(|rights| rights.user_id),
            files: BTreeSet::new(),
            in_use: BTreeSet::new(),
        }
    }

    /// Looks up the executables again, because an upgrade replaces them.
    pub fn begin_sweep(&mut self, root: &ProcRoot, buffer: &mut Vec<u8>) {
        self.files = std::mem::take(&mut self.in_use);
        let Seen::Here(link) = root.directory.read_link("self/exe", buffer) else { return };
        let Ok(path) = std::str::from_utf8(link.strip_suffix(b" (deleted)").unwrap_or(link)) else { return };
        let name = parse::names::base_name(path);
        let folder = path.strip_suffix(name).unwrap_or_default().to_owned();
        let own = PROGRAMS.contains(&name).then(|| "self/exe".to_owned());
        let beside = PROGRAMS.iter().map(|program| format!("self/root{folder}{program}"));
        for path in own.into_iter().chain(beside) {
            self.files.extend(root.directory.target_info(&path).here().map(|file| FileKey::from(&file)));
        }
    }

    /// Returns whether a process is one of Local Detective, and not a helper of `detective fault`,
    /// which is shown like any other process.
    pub fn contains(&mut self, process: &OpenProcess, info: &ProcessInfo, buffer: &mut Vec<u8>) -> bool {
        let is_listed = info.executable.as_ref().is_some_and(|path| self.listed.contains(path));
        let file = info.executable_file.filter(|file| self.files.contains(file));
        if info.is_fault_helper || !(is_listed || file.is_some()) {
            return false;
        }
        let rights = process.directory.read_page("status", buffer).here().and_then(Rights::from_status);
        let is_own = rights.is_some_and(|rights| rights.user_id == ROOT_USER || Some(rights.user_id) == self.user);
        self.in_use.extend(file.filter(|_| is_own));
        is_own
    }
}
