//! A recording of raw reads: its sweeps are made once more.

use std::path::{Path, PathBuf};

use anyhow::Context;
use hostread::{HostReadError, Tape};
use producer::{Playback, ProducerError};
use schemas::{GraphSnapshot, Timestamp};
use service::Hint;

use super::file;

const HOW_TO_RECORD: &str = "make a recording of raw reads with `detective record --proc FILE`";

/// The sweeps of a file. They are made when they are due; what is kept in memory is when that is.
pub struct Raw {
    path: PathBuf,
    playback: Playback,
    times: Vec<Timestamp>,
    /// Why the file could not be played to its end.
    pub broken: Option<ProducerError>,
    /// Whether the file ends within a sweep.
    pub is_cut: bool,
}

impl Raw {
    /// Makes all sweeps once, to know their times.
    ///
    /// # Errors
    /// If it is no recording of raw reads.
    pub fn open(path: &Path) -> anyhow::Result<Raw> {
        let (path, playback) = (path.to_owned(), open_raw(path)?);
        let mut raw = Raw { playback: open_raw(&path)?, path, times: Vec::new(), broken: None, is_cut: false };
        let mut newest = Timestamp(i64::MIN);
        for swept in playback {
            match swept {
                Ok(snapshot) => {
                    newest = newest.max(snapshot.ended_at);
                    raw.times.push(newest);
                }
                Err(ProducerError::Host(HostReadError::TruncatedTape)) => raw.is_cut = true,
                Err(error) => raw.broken = Some(error),
            }
        }
        Ok(raw)
    }

    /// When each sweep was complete; if the clock went back, when the one before it was.
    pub fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// The snapshot of the next sweep.
    ///
    /// # Errors
    /// If the file has changed meanwhile.
    pub fn next(&mut self) -> anyhow::Result<GraphSnapshot> {
        let next = self.playback.next().unwrap_or(Err(ProducerError::Host(HostReadError::EndOfTape)));
        next.hint_from(ProducerError::hint)
    }

    /// Says that the end is missing, if it is.
    pub fn tell_cut(&self) {
        if self.is_cut {
            tell_cut(&self.path);
        }
    }
}

/// Opens a recording of raw reads.
///
/// # Errors
/// If it is none, or not one of this version.
pub fn open_raw(path: &Path) -> anyhow::Result<Playback> {
    let file = file::open(path, HOW_TO_RECORD)?;
    let name = || format!("cannot read `{}`", path.display());
    let hint = |error: &ProducerError| Some(error.hint().unwrap_or(HOW_TO_RECORD));
    Tape::play_from(file).map_err(ProducerError::from).and_then(Playback::from_tape).hint_from(hint).with_context(name)
}

/// Says that a recording of raw reads lacks its end.
pub fn tell_cut(path: &Path) {
    eprintln!("`{}` ends within a sweep, which is left out: the recording was ended by force", path.display());
}
