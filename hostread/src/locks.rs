//! The kernel's list of file locks, `/proc/locks`.

use std::collections::BTreeSet;

use crate::{
    parse::{self, locks::LockLine},
    proc_root::ProcRoot,
    seen::Seen,
};

/// `/proc/locks`, line by line.
#[derive(Debug, Default)]
pub struct LockList {
    /// Each line, and its text.
    pub lines: Vec<(LockLine, String)>,
    /// Whether the list could be read.
    pub readable: bool,
}

impl LockList {
    /// Reads the list.
    pub fn read(root: &ProcRoot, buffer: &mut Vec<u8>) -> LockList {
        let Seen::Here(text) = root.directory.read("locks", buffer) else { return LockList::default() };
        let line = |line| Some((parse::locks::parse_lock_line(line)?, parse::text(line)));
        LockList { lines: parse::lines(text).filter_map(line).collect(), readable: true }
    }

    /// Inodes of the files whose locks a task waits for.
    pub fn waited_for(&self) -> BTreeSet<u64> {
        self.lines.iter().filter(|(line, _)| line.is_waiting).map(|(line, _)| line.lock.inode).collect()
    }
}
