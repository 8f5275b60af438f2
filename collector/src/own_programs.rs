//! Which processes are Local Detective's own, which are never shown, except fault helpers.
//!
//! A name proves nothing: any user can start a program called `detective`. A process is Local
//! Detective's own if it runs one of the executables that are installed next to that of this
//! process, for root or for the user of this process, or one that the settings list, for the user
//! of this process. For a listed path root does not count: a container can have any program at
//! that path and often runs as root.

use std::collections::{BTreeSet, HashSet};

use hostread::{ProcRoot, ProcessKey, Seen, parse, process::OpenProcess, rights::Rights};

use crate::{files::FileKey, process::ProcessInfo};

/// Names of Local Detective's executables.
const PROGRAMS: [&str; 4] = ["detective", "detective-producer", "detective-scorer", "detective-trainer"];

const ROOT_USER: u64 = 0;

/// Executables of Local Detective, and the processes that run them.
#[derive(Debug)]
pub struct OwnPrograms {
    // Paths that the settings list, as text.
    listed: Vec<String>,
    user: Option<u64>,
    // Path below `/proc` of the folder that has the executable of this process.
    folder: Option<String>,
    // The file of that executable, if it is one of Local Detective.
    own: Option<FileKey>,
    // The executables that are known, and those that a process of this sweep runs: after an upgrade
    // they have no path any more. A file that runs keeps its inode number.
    files: BTreeSet<FileKey>,
    in_use: BTreeSet<FileKey>,
    // Names that this sweep has looked up in the folder.
    looked_up: BTreeSet<&'static str>,
    // Own processes of the previous sweep, and of this one.
    known: HashSet<ProcessKey>,
    seen: HashSet<ProcessKey>,
}

impl OwnPrograms {
    /// Returns the executables that the settings list, separated by colons, and that of this
    /// process. Those next to it are looked up when a process runs one of that name: a path can be
    /// on a filesystem that does not answer.
    pub fn new(listed: &str, root: &ProcRoot, buffer: &mut Vec<u8>) -> OwnPrograms {
        let paths = listed.split(':').filter(|path| !path.is_empty());
        let rights = root.directory.read("self/status", buffer).here().and_then(Rights::from_status);
        let link = root.directory.read_link("self/exe", buffer).here().unwrap_or_default();
        let link = link.strip_suffix(b" (deleted)").unwrap_or(link);
        let name = link.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let folder = link.strip_suffix(name).and_then(|folder| std::str::from_utf8(folder).ok());
        let folder = folder.filter(|folder| !folder.is_empty()).map(|folder| format!("self/root{folder}"));
        let is_program = PROGRAMS.iter().any(|program| program.as_bytes() == name);
        // The link leads to the file itself, without its path.
        let own = is_program.then(|| root.directory.target_info("self/exe")).and_then(Seen::here);
        OwnPrograms {
            listed: paths.map(|path| parse::text(path.as_bytes())).collect(),
            user: rights.map(|rights| rights.user_id),
            folder,
            own: own.as_ref().map(FileKey::from),
            files: BTreeSet::new(),
            in_use: BTreeSet::new(),
            looked_up: BTreeSet::new(),
            known: HashSet::new(),
            seen: HashSet::new(),
        }
    }

    /// Begins a sweep. Executables are looked up again, because an upgrade replaces them.
    pub fn begin_sweep(&mut self) {
        self.files = std::mem::take(&mut self.in_use);
        self.files.extend(self.own);
        self.known = std::mem::take(&mut self.seen);
        self.looked_up.clear();
    }

    /// Returns whether a process is one of Local Detective, and not a helper of `detective fault`,
    /// which is shown like any other process. If that cannot be read this time, the answer is that
    /// of the previous sweep.
    pub fn contains(
        &mut self,
        process: &OpenProcess,
        info: &ProcessInfo,
        root: &ProcRoot,
        buffer: &mut Vec<u8>,
    ) -> bool {
        let is_own = self.recognize(process, info, root, buffer).unwrap_or_else(|| self.known.contains(&process.key));
        if is_own {
            self.seen.insert(process.key);
            self.in_use.extend(info.executable_file.filter(|file| self.files.contains(file)));
        }
        is_own
    }

    /// Returns whether a process is one of Local Detective. `None` if it cannot be read this time.
    fn recognize(
        &mut self,
        process: &OpenProcess,
        info: &ProcessInfo,
        root: &ProcRoot,
        buffer: &mut Vec<u8>,
    ) -> Option<bool> {
        if info.is_executable_unread {
            return None;
        }
        let is_listed = info.executable.as_ref().is_some_and(|path| self.listed.contains(path));
        let is_beside = self.is_beside(info, root);
        if !(is_listed || is_beside) || info.is_fault_helper {
            return Some(false);
        }
        if info.unread_arguments.is_some() {
            return None;
        }
        let user = match process.directory.read_page("status", buffer).map(Rights::from_status) {
            Seen::Here(rights) => rights.map(|rights| rights.user_id),
            status if status.is_temporary() => return None,
            _ => None,
        };
        Some(user.is_some() && user == self.user || is_beside && user == Some(ROOT_USER))
    }

    /// Returns whether a process runs an executable that is next to that of this process, or was.
    fn is_beside(&mut self, info: &ProcessInfo, root: &ProcRoot) -> bool {
        let Some(file) = info.executable_file else { return false };
        if self.files.contains(&file) {
            return true;
        }
        let Some(folder) = &self.folder else { return false };
        let name = info.executable.as_deref().map(parse::names::base_name);
        let Some(program) = PROGRAMS.into_iter().find(|program| name == Some(program)) else { return false };
        if self.looked_up.insert(program) {
            let found = root.directory.target_info(&format!("{folder}{program}")).here();
            self.files.extend(found.iter().map(FileKey::from));
        }
        self.files.contains(&file)
    }
}
