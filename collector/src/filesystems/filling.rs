//! Processes that filled a filesystem, inferred from the growth of the files that each process has
//! open for writing.
//!
//! The amounts are kept between sweeps and halve every five minutes: nothing grows any more once
//! the filesystem is full, and the writer has often closed or deleted its file by then. Only the
//! main writers are reported, and this alone never opens an incident: a process that writes little
//! to a filesystem that others fill, or that fills it as slowly as ever, is healthy. Growth in
//! files that are opened and closed between two sweeps is invisible, as is growth in the first
//! sweep of files that are not new.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use hostread::ProcessKey;

use super::open_files::OpenFiles;
use crate::process::Process;

/// Half-life of the amounts.
const HALF_LIFE: Duration = Duration::from_secs(300);
/// Amounts below one block are dropped, in bytes.
const MIN_BYTES: f64 = 4096.0;
/// Processes that added less than this share of the largest amount are not reported, because most
/// processes write a little.
const MIN_SHARE_OF_LARGEST: f64 = 0.25;

/// State kept between sweeps: the bytes that each process added to each filesystem.
#[derive(Debug, Default)]
pub struct History {
    grown: HashMap<(ProcessKey, (u32, u32)), f64>,
    at: Option<Instant>,
}

impl History {
    /// Adds the growth of one sweep. Returns the recent bytes of the main writers by filesystem and
    /// process, as index into the sweep.
    pub fn update(
        &mut self,
        processes: &[Process],
        open_files: &OpenFiles,
        now: Instant,
    ) -> BTreeMap<(u32, u32), BTreeMap<usize, f64>> {
        let since = self.at.replace(now).map_or(Duration::ZERO, |at| now.duration_since(at));
        let decay = 0.5_f64.powf(since.as_secs_f64() / HALF_LIFE.as_secs_f64());
        self.grown.values_mut().for_each(|grown| *grown *= decay);
        for (process, device, bytes) in open_files.grown() {
            if let Some(process) = processes.get(process) {
                *self.grown.entry((process.key, device)).or_default() += bytes as f64;
            }
        }
        let indices: HashMap<ProcessKey, usize> =
            processes.iter().enumerate().map(|(at, process)| (process.key, at)).collect();
        self.grown.retain(|(identity, _), grown| *grown >= MIN_BYTES && indices.contains_key(identity));
        let mut fillers = BTreeMap::<(u32, u32), BTreeMap<usize, f64>>::new();
        for ((identity, device), grown) in &self.grown {
            if let Some(at) = indices.get(identity) {
                fillers.entry(*device).or_default().insert(*at, *grown);
            }
        }
        fillers.values_mut().for_each(keep_largest);
        fillers
    }
}

fn keep_largest(grown: &mut BTreeMap<usize, f64>) {
    let most = grown.values().copied().fold(0.0, f64::max);
    grown.retain(|_, bytes| *bytes >= most * MIN_SHARE_OF_LARGEST);
}
