//! What is replayed: recorded snapshots, or those that recorded raw reads give.

mod file;
mod raw;
mod tape;

use std::path::Path;

use anyhow::Context;
use schemas::{
    GraphSnapshot, RawRead, Timestamp,
    codec::Record,
    container::{ContainerError, Reader},
};
use service::Hint;

use raw::Raw;
pub use raw::{open_raw, tell_cut};
use tape::Tape;

const HOW_TO_RECORD: &str = "make a recording with `detective record FILE`";

/// The snapshots of a recording, by time.
pub enum Recording {
    /// They are in the file.
    Snapshots(Box<Tape>),
    /// They are made of what is in the file.
    Raw(Box<Raw>),
}

impl Recording {
    /// Opens a file of either kind, as its schema says, and looks through it.
    ///
    /// # Errors
    /// If it is no recording, or holds nothing whole.
    pub fn open(path: &Path) -> anyhow::Result<Recording> {
        let name = || format!("cannot read `{}`", path.display());
        let recording = match Reader::open(file::open(path, HOW_TO_RECORD)?) {
            Err(ContainerError::OtherSchema { found, .. }) if is_of_raw_reads(&found) => {
                Recording::Raw(Box::new(Raw::open(path)?))
            }
            reader => {
                let reader = reader.with_context(name).hint(HOW_TO_RECORD)?;
                Recording::Snapshots(Box::new(Tape::open(reader).with_context(name)?))
            }
        };
        recording.unless_empty(path)
    }

    fn unless_empty(mut self, path: &Path) -> anyhow::Result<Recording> {
        if self.len() > 0 {
            return Ok(self);
        }
        match self.take_broken() {
            Some(error) => Err(error.context(format!("`{}` holds no whole snapshot", path.display()))),
            None => Err(anyhow::anyhow!("`{}` holds no snapshots", path.display())),
        }
        .hint(match self {
            Recording::Snapshots(_) => "make another recording with `detective record FILE`",
            Recording::Raw(_) => "make another recording with `detective record --proc FILE`",
        })
    }

    /// How many snapshots there are.
    pub fn len(&self) -> usize {
        match self {
            Recording::Snapshots(tape) => tape.entries().len(),
            Recording::Raw(raw) => raw.times().len(),
        }
    }

    /// How many hosts they are of.
    pub fn hosts(&self) -> usize {
        match self {
            Recording::Snapshots(tape) => tape.hosts(),
            Recording::Raw(_) => 1,
        }
    }

    /// When a snapshot's sweep was complete; of a host whose clock went back, when the one before it was.
    pub fn time(&self, at: usize) -> Timestamp {
        let time = match self {
            Recording::Snapshots(tape) => tape.entries().get(at).map(|entry| entry.time),
            Recording::Raw(raw) => raw.times().get(at).copied(),
        };
        time.unwrap_or_default()
    }

    /// From when to when the recording is.
    pub fn times(&self) -> (Timestamp, Timestamp) {
        (self.time(0), self.time(self.len().saturating_sub(1)))
    }

    /// A snapshot. They are asked for one after another.
    ///
    /// # Errors
    /// If the file has changed meanwhile.
    pub fn snapshot(&mut self, at: usize) -> anyhow::Result<GraphSnapshot> {
        const CHANGED: &str = "the recording changed while it was replayed";
        match self {
            Recording::Snapshots(tape) => {
                let entry = *tape.entries().get(at).context(CHANGED)?;
                tape.snapshot(entry).context(CHANGED)
            }
            Recording::Raw(raw) => raw.next().context(CHANGED),
        }
    }

    /// Why the file could not be read to its end, if so.
    pub fn take_broken(&mut self) -> Option<anyhow::Error> {
        const ENDED_BY_FORCE: &str = "the recording was ended by force, or the file was not copied whole";
        let hinted = |error: anyhow::Error, hint: &str| Err::<(), _>(error).hint(hint).err();
        match self {
            Recording::Snapshots(tape) => tape.broken.take().and_then(|error| hinted(error.into(), ENDED_BY_FORCE)),
            Recording::Raw(raw) => raw.broken.take().and_then(|error| {
                let hint = error.hint().unwrap_or(ENDED_BY_FORCE);
                hinted(error.into(), hint)
            }),
        }
    }
}

fn is_of_raw_reads(schema: &str) -> bool {
    schema.rsplit('.').next() == Some(RawRead::NAME)
}
