//! What is read of a process once, and when it is read again.

use std::{collections::HashMap, sync::Arc};

use hostread::{BlockingReader, Directory, ProcessKey, Seen, process::OpenProcess};

use crate::collect::{
    container,
    process::{LONGEST_ARGUMENTS, ProcessInfo, Reread, has_same_cgroups},
};

/// Remembers from sweep to sweep what processes are.
pub struct ProcessInfoCache {
    ticks_per_second: f64,
    keeps_command: bool,
    blocking_reader: BlockingReader,
    containers: container::LabelCache,
    uptime_centis: Option<u64>,
    known: HashMap<ProcessKey, Entry>,
    seen: HashMap<ProcessKey, Entry>,
}

#[derive(Clone)]
struct Entry {
    info: Arc<ProcessInfo>,
    /// How old the process was, in hundredths of a second.
    age: u64,
    /// Whether a sweep has seen it since.
    was_seen_again: bool,
}

impl ProcessInfoCache {
    /// Knows nobody yet. `shows_arguments` is whether command lines are to be shown.
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

    /// Begins a sweep, at this time since boot.
    pub fn begin_sweep(&mut self, uptime_centis: Option<u64>) {
        self.uptime_centis = uptime_centis;
    }

    /// What a process is. Whether it was moved to other control groups is looked at if its files are read again.
    pub fn get(&mut self, opened: &OpenProcess, reread: Reread, buffer: &mut Vec<u8>) -> Arc<ProcessInfo> {
        let age = self.age(&opened.key);
        let known = self.known.get(&opened.key).filter(|known| known.info.comm == opened.comm);
        let known = match known {
            Some(known) if opened.is_zombie() => known.clone(),
            Some(known)
                if reread < Reread::All
                    && known.is_settled(age)
                    && !self.containers.has_new_label(known.info.container.as_ref())
                    // Most are moved right after their birth, if at all.
                    && (known.was_seen_again && reread == Reread::Nothing
                        || has_same_cgroups(opened, &known.info.groups, buffer)) =>
            {
                Entry { was_seen_again: true, ..known.clone() }
            }
            known => {
                let info =
                    ProcessInfo::read(opened, &mut self.blocking_reader, &self.containers, self.keeps_command, buffer);
                self.containers.remember(info.container.as_ref());
                let is_same = |known: &ProcessInfo| known.executable == info.executable && known.groups == info.groups;
                let before = known.filter(|known| info.late && is_same(&known.info));
                // What was known is better than what does not come.
                before.cloned().unwrap_or_else(|| Entry { info: Arc::new(info), age, was_seen_again: false })
            }
        };
        let info = Arc::clone(&known.info);
        self.seen.insert(opened.key, known);
        info
    }

    /// What `keep` leaves of a process's arguments, as they are now.
    pub fn arguments<'b>(
        &mut self,
        directory: &Directory,
        identity: ProcessKey,
        buffer: &'b mut Vec<u8>,
        keep: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Seen<&'b [u8]> {
        self.blocking_reader.read_file(directory, (identity, "cmdline"), LONGEST_ARGUMENTS, buffer, keep)
    }

    /// Forgets who was not seen.
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
    /// Whether there is no need to ask a process of this age again.
    ///
    /// A program takes its time to say what it is: its name, its title, the control group that it is put in. So it is asked
    /// again while it is young, ever more seldom.
    fn is_settled(&self, age: u64) -> bool {
        const YOUNG: u64 = 15_00;
        const SOON: u64 = 2_00;
        !self.info.late && (self.age >= YOUNG || age < self.age.saturating_mul(4).max(SOON))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(age_then: u64, age_now: u64, late: bool) -> bool {
        let info = Arc::new(ProcessInfo { late, ..ProcessInfo::default() });
        Entry { info, age: age_then, was_seen_again: false }.is_settled(age_now)
    }

    #[test]
    fn the_young_are_asked_again_ever_more_seldom_and_the_late_each_time() {
        assert!(settled(10, 150, false));
        assert!(!settled(10, 210, false));
        assert!(settled(210, 800, false));
        assert!(!settled(210, 840, false));
        assert!(settled(15_00, 1_000_000, false));
        assert!(settled(u64::MAX, u64::MAX, false));
        assert!(!settled(15_00, 15_10, true));
    }
}
