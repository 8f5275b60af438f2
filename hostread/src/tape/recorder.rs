//! Writes answers to a recording.

use std::{io::Write, time::Instant};

use schemas::{RawRead, container::Writer};

use crate::{clock, error::HostReadError, seen::Seen};

/// A recording that is being written.
pub struct Recorder {
    out: Writer<RawRead, Box<dyn Write + Send>>,
    /// Times of the monotonic clock are recorded as nanoseconds since this.
    pub start: Instant,
    failure: Option<HostReadError>,
}

impl Recorder {
    /// Begins a recording.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn new(out: Box<dyn Write + Send>) -> Result<Recorder, HostReadError> {
        Ok(Recorder { out: Writer::create(out)?, start: clock::monotonic(), failure: None })
    }

    /// Adds an answer. [`finish_block`](Recorder::finish_block) reports a failure.
    pub fn record<T>(&mut self, operation: &str, name: &str, seen: &Seen<T>, bytes: Vec<u8>, numbers: Vec<i64>) {
        let record = RawRead {
            question: operation.to_owned(),
            name: name.to_owned(),
            answer: word_for(seen).to_owned(),
            bytes,
            numbers,
        };
        if let Err(error) = self.out.append(&record) {
            self.failure.get_or_insert(error.into());
        }
    }

    /// Writes the answers since the last call as one block.
    ///
    /// # Errors
    /// The first failure since the last call.
    pub fn finish_block(&mut self) -> Result<(), HostReadError> {
        if let Err(error) = self.out.finish_block() {
            self.failure.get_or_insert(error.into());
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Length of all finished blocks, in bytes.
    pub fn complete_bytes(&self) -> u64 {
        self.out.bytes_written()
    }
}

fn word_for<T>(seen: &Seen<T>) -> &'static str {
    match seen {
        Seen::Here(_) => "here",
        Seen::Gone => "gone",
        Seen::Denied => "denied",
        Seen::Unsupported => "unsupported",
        Seen::Late => "late",
        Seen::Exhausted => "exhausted",
    }
}
