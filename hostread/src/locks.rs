//! The kernel's list of file locks, `/proc/locks`.

use std::collections::BTreeSet;

use crate::{
    parse::{self, locks::LockLine},
    proc_root::ProcRoot,
    seen::Seen,
};

/// The file locks of a host, and the tasks that wait for them.
#[derive(Debug)]
pub struct LockList {
    /// The lines of `/proc/locks`, each parsed and as text.
    pub lines: Vec<(LockLine, String)>,
    /// Whether `/proc/locks` could be read, or why not.
    pub readable: Seen<()>,
}

impl LockList {
    /// Reads `/proc/locks`.
    pub fn read(root: &ProcRoot, buffer: &mut Vec<u8>) -> LockList {
        let text = root.directory.read("locks", buffer);
        let readable = match text.map(drop) {
            // A kernel without file locks has no such file.
            Seen::Gone => Seen::Unsupported,
            readable => readable,
        };
        let line = |line| Some((parse::locks::parse_lock_line(line)?, parse::text(line)));
        let lines = parse::lines(text.here().unwrap_or_default()).filter_map(line).collect();
        LockList { lines, readable }
    }

    /// Inode numbers of the files with locks that tasks wait for.
    pub fn contended_inodes(&self) -> BTreeSet<u64> {
        self.lines.iter().filter(|(line, _)| line.is_waiting).map(|(line, _)| line.lock.inode).collect()
    }
}
