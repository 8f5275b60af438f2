//! A recording of raw reads, which sweeps are replayed from.

use std::path::{Path, PathBuf};

use anyhow::Context;
use hostread::{HostReadError, Tape};
use producer::{Playback, ProducerError};
use schemas::{GraphSnapshot, Timestamp};
use service::Hint;

use super::file;

const RECORD_HINT: &str = "make a recording of raw reads with `detective record --proc FILE`";

/// The sweeps of a recording. Only their times are in memory; a snapshot is made when it is read.
pub struct RawReads {
    path: PathBuf,
    playback: Playback,
    times: Vec<Timestamp>,
    /// The error that ended the scan before the end of the file.
    pub read_error: Option<ProducerError>,
    is_cut: bool,
}

impl RawReads {
    /// Opens a recording and plays all its sweeps once to get their times.
    ///
    /// # Errors
    /// If the file is not a recording of raw reads.
    pub fn open(path: &Path) -> anyhow::Result<RawReads> {
        let scan = open_playback(path)?;
        let playback = open_playback(path)?;
        let mut reads =
            RawReads { path: path.to_owned(), playback, times: Vec::new(), read_error: None, is_cut: false };
        let mut newest = Timestamp(i64::MIN);
        for sweep in scan {
            match sweep {
                Ok(snapshot) => {
                    newest = newest.max(snapshot.ended_at);
                    reads.times.push(newest);
                }
                Err(ProducerError::Host(HostReadError::TruncatedTape)) => reads.is_cut = true,
                Err(error) => reads.read_error = Some(error),
            }
        }
        Ok(reads)
    }

    /// End of each sweep. If the clock stepped back, the end of the sweep before.
    pub fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// Plays the next sweep.
    ///
    /// # Errors
    /// If the file has changed since it was opened.
    pub fn next(&mut self) -> anyhow::Result<GraphSnapshot> {
        let next = self.playback.next().unwrap_or(Err(ProducerError::Host(HostReadError::EndOfTape)));
        next.hint_from(ProducerError::hint)
    }

    /// Warns if the file ends within a sweep.
    pub fn print_cut_warning(&self) {
        if self.is_cut {
            print_cut_warning(&self.path);
        }
    }
}

/// Opens a recording of raw reads to play its sweeps.
///
/// # Errors
/// If the file is not such a recording, or was written by another version.
pub fn open_playback(path: &Path) -> anyhow::Result<Playback> {
    let file = file::open(path, RECORD_HINT)?;
    let cannot = || format!("cannot read `{}`", path.display());
    let hint = |error: &ProducerError| Some(error.hint().unwrap_or(RECORD_HINT));
    Tape::play_from(file)
        .map_err(ProducerError::from)
        .and_then(Playback::from_tape)
        .hint_from(hint)
        .with_context(cannot)
}

/// Warns on standard error that a recording of raw reads ends within a sweep.
pub fn print_cut_warning(path: &Path) {
    eprintln!("`{}` ends within a sweep, which is skipped: the recording process was killed", path.display());
}
