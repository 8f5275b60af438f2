//! Recordings of hosts: files of snapshots, or of the raw reads that the snapshots are made from.

mod file;
mod raw_reads;
mod snapshot_file;

use std::path::Path;

use anyhow::Context;
use schemas::{
    GraphSnapshot, RawRead, Timestamp,
    codec::Record,
    container::{ContainerError, Reader},
};
use service::Hint;

use raw_reads::RawReads;
pub use raw_reads::{open_playback, print_cut_warning};
use snapshot_file::SnapshotFile;

const RECORD_HINT: &str = "make a recording with `detective record FILE`";

/// A recording, whose snapshots are read in the order of their times.
pub enum Recording {
    /// A file of snapshots.
    Snapshots(Box<SnapshotFile>),
    /// A file of raw reads, from which each snapshot is made when it is read.
    RawReads(Box<RawReads>),
}

impl Recording {
    /// Opens a file and scans it once. Its schema tells of which kind it is.
    ///
    /// # Errors
    /// If the file is not a recording, or has no complete snapshot.
    pub fn open(path: &Path) -> anyhow::Result<Recording> {
        let cannot = || format!("cannot read `{}`", path.display());
        let recording = match Reader::open(file::open(path, RECORD_HINT)?) {
            Err(ContainerError::OtherSchema { found, .. }) if is_raw_read_schema(&found) => {
                Recording::RawReads(Box::new(RawReads::open(path)?))
            }
            reader => {
                let reader = reader.with_context(cannot).hint(RECORD_HINT)?;
                Recording::Snapshots(Box::new(SnapshotFile::open(reader).with_context(cannot)?))
            }
        };
        recording.check_not_empty(path)
    }

    fn check_not_empty(mut self, path: &Path) -> anyhow::Result<Recording> {
        if !self.is_empty() {
            return Ok(self);
        }
        match self.take_read_error() {
            Some(error) => Err(error.context(format!("`{}` holds no complete snapshot", path.display()))),
            None => Err(anyhow::anyhow!("`{}` holds no snapshots", path.display())),
        }
        .hint(match self {
            Recording::Snapshots(_) => "make another recording with `detective record FILE`",
            Recording::RawReads(_) => "make another recording with `detective record --proc FILE`",
        })
    }

    /// Number of snapshots.
    pub fn len(&self) -> usize {
        match self {
            Recording::Snapshots(file) => file.entries().len(),
            Recording::RawReads(reads) => reads.times().len(),
        }
    }

    /// Whether there are no snapshots.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of hosts.
    pub fn host_count(&self) -> usize {
        match self {
            Recording::Snapshots(file) => file.host_count(),
            Recording::RawReads(_) => 1,
        }
    }

    /// Time at which the sweep of snapshot `index` ended. Times never decrease within a host: if
    /// its clock stepped back, the time is that of the snapshot before.
    pub fn time(&self, index: usize) -> Timestamp {
        let time = match self {
            Recording::Snapshots(file) => file.entries().get(index).map(|entry| entry.time),
            Recording::RawReads(reads) => reads.times().get(index).copied(),
        };
        time.unwrap_or_default()
    }

    /// Times of the first and the last snapshot.
    pub fn time_range(&self) -> (Timestamp, Timestamp) {
        (self.time(0), self.time(self.len().saturating_sub(1)))
    }

    /// Reads snapshot `index`. Raw reads can only be played in order, so callers count up from 0.
    ///
    /// # Errors
    /// If the file has changed since it was opened.
    pub fn snapshot(&mut self, index: usize) -> anyhow::Result<GraphSnapshot> {
        const CHANGED: &str = "the recording changed while it was read";
        match self {
            Recording::Snapshots(file) => {
                let entry = *file.entries().get(index).context(CHANGED)?;
                file.snapshot(entry).context(CHANGED)
            }
            Recording::RawReads(reads) => reads.next().context(CHANGED),
        }
    }

    /// The error that ended the scan before the end of the file, if there was one.
    pub fn take_read_error(&mut self) -> Option<anyhow::Error> {
        const TRUNCATED_HINT: &str = "the recording process was killed, or the file was copied incompletely";
        let with_hint = |error: anyhow::Error, hint: &str| Err::<(), _>(error).hint(hint).err();
        match self {
            Recording::Snapshots(file) => {
                file.read_error.take().and_then(|error| with_hint(error.into(), TRUNCATED_HINT))
            }
            Recording::RawReads(reads) => reads.read_error.take().and_then(|error| {
                let hint = error.hint().unwrap_or(TRUNCATED_HINT);
                with_hint(error.into(), hint)
            }),
        }
    }
}

fn is_raw_read_schema(name: &str) -> bool {
    name.rsplit('.').next() == Some(RawRead::NAME)
}
