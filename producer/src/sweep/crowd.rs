//! The processes of a sweep.

use std::collections::HashSet;

use super::Sweeper;
use crate::{
    ProducerError,
    coverage::Gaps,
    files::Moment,
    parse,
    process::{self, Identity, Process, Reread},
    rates::Since,
    read::Seen,
};

/// The processes of a sweep, and the sockets of those that are not shown.
#[derive(Default)]
pub(super) struct Crowd {
    /// Those that are shown.
    pub processes: Vec<Process>,
    /// Sockets of Local Detective's own, by inode.
    pub own_sockets: HashSet<u64>,
}

/// What does not change often is read again after so many sweeps, a part of the processes in each.
const REREAD_AFTER: u64 = 16;
/// The same for what a process is, which hardly ever changes.
const ASKED_AGAIN_AFTER: u64 = 64;

impl Sweeper {
    /// Reads all processes but kernel threads and Local Detective's own, in a sweep that began then.
    pub(super) fn crowd(&mut self, began: Moment, gaps: &mut Gaps) -> Result<Crowd, ProducerError> {
        let mut crowd = Crowd::default();
        let mut pids = self.root.pids()?;
        self.files.begin_sweep(began);
        pids.sort_unstable();
        for pid in pids {
            let seen = match process::open(&self.root, pid, &mut self.buffer) {
                Seen::Here(Some(opened)) => {
                    let before = self.remembered.remove(&opened.identity).ok_or_else(|| self.since(&opened.identity));
                    let reread = self.reread(pid);
                    let about = self.abouts.of(&opened, reread, &mut self.buffer);
                    if self.place.is_own(pid, &about) {
                        crowd.own_sockets.extend(opened.sockets(&mut self.files, &mut self.buffer));
                        continue;
                    }
                    opened.read(about, before, reread, &mut self.files, &mut self.buffer)
                }
                Seen::Here(None) => continue,
                other => other.and_then(|_| Seen::Gone),
            };
            gaps.add_seen("process", &seen);
            if let Seen::Here(process) = seen {
                gaps.add_process(&process);
                crowd.processes.push(process);
            }
        }
        Ok(crowd)
    }

    /// How many of the host's tasks a `proc` that hides others' processes does not list; kernel threads are among them.
    pub(super) fn hidden_tasks<'p>(&mut self, processes: impl Iterator<Item = &'p Process>) -> usize {
        if !self.place.hides {
            return 0;
        }
        let tasks = self.root.directory.read_small("loadavg", &mut self.buffer).here().and_then(parse::system::tasks);
        let seen: u64 = processes.map(|process| process.threads).sum();
        usize::try_from(tasks.unwrap_or(0).saturating_sub(seen)).unwrap_or(usize::MAX).max(1)
    }

    /// What is read again of a process in this sweep.
    fn reread(&self, pid: u32) -> Reread {
        let turn = self.sequence.cast_unsigned().wrapping_add(pid.into());
        if turn.is_multiple_of(ASKED_AGAIN_AFTER) {
            return Reread::All;
        }
        let files = self.producer.sweep.reread || turn.is_multiple_of(REREAD_AFTER);
        if files { Reread::Files } else { Reread::Nothing }
    }

    /// Since when the amounts of a process count that the sweep before did not see.
    fn since(&self, identity: &Identity) -> Since {
        let Some(last) = &self.last else { return Since::Unknown };
        let began = identity.start_time as f64 / self.ticks_per_second * 100.0;
        // Both clocks are cut to hundredths. One that began earlier was there and was missed, refused for instance.
        let is_new = last.uptime_centis.is_some_and(|uptime| began + 1.0 >= uptime as f64);
        if is_new { Since::Birth(last.at) } else { Since::Unknown }
    }
}
