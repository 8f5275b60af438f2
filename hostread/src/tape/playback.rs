//! Reads answers from a recording.

use std::{
    io::{Read, Seek},
    time::Instant,
};

use schemas::{RawRead, container::Reader};

use crate::{clock, error::HostReadError, seen::Seen};

/// A recording that is being played back.
pub struct Playback {
    records: Box<dyn Iterator<Item = Result<RawRead, HostReadError>> + Send>,
    /// Recorded times of the monotonic clock are added to this.
    pub start: Instant,
    /// The version of Local Detective that made the recording.
    pub recorded_by: String,
    is_within_sweep: bool,
    failure: Option<HostReadError>,
}

impl Playback {
    /// Begins to play a recording.
    ///
    /// # Errors
    /// If the file is not a recording.
    pub fn new<F: Read + Seek + Send + 'static>(file: F) -> Result<Playback, HostReadError> {
        let records = Box::new(Records { reader: Reader::open(file)?, block: Vec::new().into_iter() });
        let recorded_by = "unknown".to_owned();
        Ok(Playback { records, start: clock::monotonic(), recorded_by, is_within_sweep: false, failure: None })
    }

    /// The next record, if it is the answer to this read. `None` after a failure, which
    /// [`finish_sweep`](Playback::finish_sweep) reports.
    pub fn next(&mut self, operation: &str, name: &str) -> Option<(Seen<()>, RawRead)> {
        if self.failure.is_some() {
            return None;
        }
        match self.records.next() {
            Some(Ok(record)) if record.question == operation && record.name == name => {
                self.is_within_sweep = true;
                return Some((seen_from(&record.answer), record));
            }
            Some(Ok(record)) => {
                let describe = |operation: &str, name: &str| format!("{operation} {name}").trim_end().to_owned();
                self.failure = Some(HostReadError::TapeMismatch {
                    expected: describe(operation, name),
                    found: describe(&record.question, &record.name),
                    recorded_by: self.recorded_by.clone(),
                });
            }
            Some(Err(error)) => self.failure = Some(error),
            None if self.is_within_sweep => self.failure = Some(HostReadError::TruncatedTape),
            None => self.failure = Some(HostReadError::EndOfTape),
        }
        None
    }

    /// Ends a sweep.
    ///
    /// # Errors
    /// The failure that stopped the playback, if any.
    pub fn finish_sweep(&mut self) -> Result<(), HostReadError> {
        self.is_within_sweep = false;
        self.failure.take().map_or(Ok(()), Err)
    }
}

/// The records of a file. Holds one block in memory at a time.
struct Records<F> {
    reader: Reader<RawRead, F>,
    block: std::vec::IntoIter<RawRead>,
}

impl<F: Read + Seek> Records<F> {
    /// Loads the next block. `false` at the end of the file.
    fn load_block(&mut self) -> Result<bool, HostReadError> {
        let Some(block) = self.reader.next_block()? else { return Ok(false) };
        let records: Result<Vec<_>, _> =
            self.reader.records(&block).map(|read| read.map(|(_, record)| record)).collect();
        self.block = records?.into_iter();
        Ok(true)
    }
}

impl<F: Read + Seek> Iterator for Records<F> {
    type Item = Result<RawRead, HostReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.block.next() {
                return Some(Ok(record));
            }
            match self.load_block() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn seen_from(word: &str) -> Seen<()> {
    match word {
        "here" => Seen::Here(()),
        "gone" => Seen::Gone,
        "denied" => Seen::Denied,
        "late" => Seen::Late,
        "exhausted" => Seen::Exhausted,
        _ => Seen::Unsupported,
    }
}
