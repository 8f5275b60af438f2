//! The kernel's list of file locks, `/proc/locks`.

use std::collections::BTreeSet;

use crate::{
    parse::{self, locks::LockLine},
    proc_root::ProcRoot,
    seen::Seen,
};

/// The file locks of a host, and the tasks that wait for them.
#[derive(Debug, Default)]
pub struct LockList {
    /// The lines of `/proc/locks`, each parsed and as text.
    pub lines: Vec<(LockLine, String)>,
    /// Whether `/proc/locks` could be read.
    pub is_readable: bool,
}

impl LockList {
    /// Reads `/proc/locks`.
    pub fn read(root: &ProcRoot, buffer: &mut Vec<u8>) -> LockList {
        let Seen::Here(text) = root.directory.read("locks", buffer) else { return LockList::default() };
        let line = |line| Some((parse::locks::parse_lock_line(line)?, parse::text(line)));
        LockList { lines: parse::lines(text).filter_map(line).collect(), is_readable: true }
    }

    /// Inode numbers of the files with locks that tasks wait for.
    pub fn contended_inodes(&self) -> BTreeSet<u64> {
        self.lines.iter().filter(|(line, _)| line.is_waiting).map(|(line, _)| line.lock.inode).collect()
    }
}
