//! Snapshots of a recording of raw reads: the sweeps are repeated with the recorded answers.

use std::path::Path;

use hostread::{HostReadError, Tape};
use schemas::GraphSnapshot;

use crate::{Producer, ProducerError, Sweeper};

/// Iterator over the snapshots of a recording, byte for byte as they were made. Sweeps that failed
/// are skipped.
pub struct Playback {
    sweeper: Sweeper,
    is_over: bool,
}

impl Playback {
    /// Opens a file that a recording tape wrote.
    ///
    /// # Errors
    /// If the file is not a recording, or is one of another version.
    pub fn open(path: &Path) -> Result<Playback, ProducerError> {
        Playback::from_tape(Tape::open(path)?)
    }

    /// Plays a tape.
    ///
    /// # Errors
    /// If the tape does not start with a preamble.
    pub fn from_tape(tape: Tape) -> Result<Playback, ProducerError> {
        // The settings of the recording replace these.
        Ok(Playback { sweeper: Sweeper::with_tape(Producer::default(), tape)?, is_over: false })
    }
}

/// Ends after the last complete sweep, or with the error of an incomplete one.
impl Iterator for Playback {
    type Item = Result<GraphSnapshot, ProducerError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.sweeper.sweep() {
                Ok(snapshot) => return Some(Ok(snapshot)),
                Err(error) if !error.is_about_the_tape() => {}
                Err(ProducerError::Host(HostReadError::EndOfTape)) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
