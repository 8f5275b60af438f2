//! Joins the readers and writers of pipes.

use std::collections::{BTreeMap, BTreeSet};

use hostread::Seen;

use collector::{
    files::{FileKey, Handle},
    process::Process,
};

/// Readers and writers of each pipe, as indices of processes in the sweep.
#[derive(Debug, Default)]
pub struct PipeEnds(BTreeMap<FileKey, (BTreeSet<usize>, BTreeSet<usize>)>);

impl PipeEnds {
    /// Collects the pipe ends of all processes.
    pub fn new(processes: &[Process]) -> PipeEnds {
        let mut ends = BTreeMap::<FileKey, (BTreeSet<usize>, BTreeSet<usize>)>::new();
        for (at, process) in processes.iter().enumerate() {
            let Seen::Here(handles) = &process.handles else { continue };
            for (_, handle) in &handles.open {
                let Handle::Pipe { pipe, reads, writes } = handle else { continue };
                let (readers, writers) = ends.entry(*pipe).or_default();
                if *reads {
                    readers.insert(at);
                }
                if *writes {
                    writers.insert(at);
                }
            }
        }
        PipeEnds(ends)
    }

    /// Readers and writers of a pipe.
    pub fn get(&self, pipe: &FileKey) -> Option<&(BTreeSet<usize>, BTreeSet<usize>)> {
        self.0.get(pipe)
    }

    /// Pairs of a reader and a writer of one pipe, and the number of pairs left out.
    pub fn pairs(&self) -> (BTreeSet<(usize, usize)>, usize) {
        // A pipe shared by a whole process tree says nothing about any two of its processes.
        const MAX_PAIRS: usize = 64;
        let mut pairs = BTreeSet::new();
        let mut left_out = 0;
        for (readers, writers) in self.0.values() {
            if readers.len() * writers.len() > MAX_PAIRS {
                left_out += readers.len() * writers.len();
                continue;
            }
            // A process with both ends (to wake itself, or before it closes one) waits for no
            // other.
            for reader in readers.difference(writers) {
                pairs.extend(writers.difference(readers).map(|writer| (*reader, *writer)));
            }
        }
        (pairs, left_out)
    }
}
