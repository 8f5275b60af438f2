//! Cache of process identities, which are read once or a few times.

use std::{collections::HashMap, sync::Arc};

use hostread::{BlockingReader, Directory, ProcessKey, Seen, process::OpenProcess};

use crate::{
    container,
    process::{MAX_ARGUMENT_BYTES, ProcessInfo, Reread, has_same_cgroups},
};

/// Identities of processes, kept between sweeps.
pub struct ProcessInfoCache {
    ticks_per_second: f64,
    keeps_command: bool,
    blocking_reader: BlockingReader,
    containers: container::LabelCache,
    uptime_centis: Option<u64>,
    known: HashMap<ProcessKey, Entry>,
    seen: HashMap<ProcessKey, Entry>,
}

/// Cached identity of one process.
#[derive(Clone)]
struct Entry {
    info: Arc<ProcessInfo>,
    /// Age of the process when it was read, in hundredths of a second.
    age: u64,
    /// Whether a later sweep has seen the process.
    was_seen_again: bool,
}

impl ProcessInfoCache {
    /// Returns an empty cache. `keeps_command`: whether to keep command lines.
    pub fn new(ticks_per_second: f64, containers: container::LabelCache, keeps_command: bool) -> ProcessInfoCache {
        ProcessInfoCache {
            ticks_per_second,
            keeps_command,
            blocking_reader: BlockingReader::default(),
            containers,
            uptime_centis: None,
            known: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Begins a sweep at this time since boot, in hundredths of a second.
    pub fn begin_sweep(&mut self, uptime_centis: Option<u64>) {
        self.uptime_centis = uptime_centis;
    }

    /// Returns the identity of a process, from the cache or newly read. If the files of the process
    /// are read again, its control groups are checked too.
    pub fn get(&mut self, opened: &OpenProcess, reread: Reread, buffer: &mut Vec<u8>) -> Arc<ProcessInfo> {
        let age = self.age(&opened.key);
        let known = self.known.get(&opened.key).filter(|known| known.info.comm == opened.comm);
        let known = match known {
            Some(known) if opened.is_zombie() => known.clone(),
            Some(known)
                if reread < Reread::FilesAndInfo
                    && known.is_settled(age)
                    && !self.containers.has_new_label(known.info.container.as_ref())
                    // Most processes are moved to another group right after their start, if at all.
                    && (known.was_seen_again && reread == Reread::Nothing
                        || has_same_cgroups(opened, &known.info.groups, buffer)) =>
            {
                Entry { was_seen_again: true, ..known.clone() }
            }
            known => {
                let info =
                    ProcessInfo::read(opened, &mut self.blocking_reader, &self.containers, self.keeps_command, buffer);
                self.containers.remember(info.container.as_ref());
                let is_same = |known: &ProcessInfo| {
                    (info.is_executable_unread || known.executable == info.executable)
                        && (info.are_groups_unread || known.groups == info.groups)
                };
                let before = known.filter(|known| info.is_incomplete && is_same(&known.info));
                // Prefer the cached identity to an incomplete one.
                before.cloned().unwrap_or_else(|| Entry { info: Arc::new(info), age, was_seen_again: false })
            }
        };
        let info = Arc::clone(&known.info);
        self.seen.insert(opened.key, known);
        info
    }

    /// Reads the current arguments of a process, and returns what `keep` makes of them.
    pub fn arguments<'b>(
        &mut self,
        directory: &Directory,
        identity: ProcessKey,
        buffer: &'b mut Vec<u8>,
        keep: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Seen<&'b [u8]> {
        self.blocking_reader.read_file(directory, (identity, "cmdline"), MAX_ARGUMENT_BYTES, buffer, keep)
    }

    /// Ends a sweep: removes processes that it did not see.
    pub fn end_sweep(&mut self) {
        self.known = std::mem::take(&mut self.seen);
        self.blocking_reader.reset_wait_budget();
        self.containers.retain(self.known.values().filter_map(|known| known.info.container.as_ref()));
    }

    fn age(&self, identity: &ProcessKey) -> u64 {
        let began = identity.start_time as f64 / self.ticks_per_second * 100.0;
        self.uptime_centis.map_or(u64::MAX, |uptime| uptime.saturating_sub(began as u64))
    }
}

impl Entry {
    /// Returns whether a process of this age need not be read again.
    ///
    /// A program sets its name and title, and is moved to its control group, some time after its
    /// start. It is therefore read again while it is young, at growing intervals.
    fn is_settled(&self, age: u64) -> bool {
        const SETTLED_AGE_CENTIS: u64 = 15_00;
        const FIRST_REREAD_AGE_CENTIS: u64 = 2_00;
        !self.info.is_incomplete
            && (self.age >= SETTLED_AGE_CENTIS || age < self.age.saturating_mul(4).max(FIRST_REREAD_AGE_CENTIS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(age_then: u64, age_now: u64, is_incomplete: bool) -> bool {
        let info = Arc::new(ProcessInfo { is_incomplete, ..ProcessInfo::default() });
        Entry { info, age: age_then, was_seen_again: false }.is_settled(age_now)
    }

    #[test]
    fn young_processes_are_read_at_growing_intervals_and_incomplete_ones_in_each_sweep() {
        assert!(settled(10, 150, false));
        assert!(!settled(10, 210, false));
        assert!(settled(210, 800, false));
        assert!(!settled(210, 840, false));
        assert!(settled(15_00, 1_000_000, false));
        assert!(settled(u64::MAX, u64::MAX, false));
        assert!(!settled(15_00, 15_10, true));
    }
}
