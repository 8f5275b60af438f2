//! Who has filled a filesystem of late: by how much the files have grown that a process had open for writing there.
//!
//! Once it is full nothing grows any more, so this is remembered; and what fills it is often closed by then, or deleted.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use hostread::ProcessKey;

use super::open_files::OpenFiles;
use crate::collect::process::Process;

/// After so long what was written counts half.
const HALF_LIFE: Duration = Duration::from_secs(300);
/// Less than a block is nothing.
const MIN_BYTES: f64 = 4096.0;
/// Who has added less than this part of what another has did not fill it: everybody writes a little.
const MIN_SHARE_OF_LARGEST: f64 = 0.25;

/// What is remembered from sweep to sweep: how many bytes each process has added to each filesystem.
#[derive(Debug, Default)]
pub struct History {
    grown: HashMap<(ProcessKey, (u32, u32)), f64>,
    at: Option<Instant>,
}

impl History {
    /// Bytes by filesystem and process, as its index in the sweep, of those who have added most to it.
    pub fn update(
        &mut self,
        processes: &[Process],
        open_files: &OpenFiles,
        now: Instant,
    ) -> BTreeMap<(u32, u32), BTreeMap<usize, f64>> {
        let since = self.at.replace(now).map_or(Duration::ZERO, |at| now.duration_since(at));
        let part = 0.5_f64.powf(since.as_secs_f64() / HALF_LIFE.as_secs_f64());
        self.grown.values_mut().for_each(|grown| *grown *= part);
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
