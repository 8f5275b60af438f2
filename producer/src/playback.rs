//! The snapshots that a recording of raw reads gives: the sweeps made once more, from what was answered then.

use std::path::Path;

use hostread::{HostReadError, Tape};
use schemas::GraphSnapshot;

use crate::{Producer, ProducerError, Sweeper};

/// The sweeps of a recording, one after another, to the byte as they were made. A sweep that failed then is passed over.
pub struct Playback {
    sweeper: Sweeper,
    is_over: bool,
}

impl Playback {
    /// Plays a file that a recording tape wrote.
    ///
    /// # Errors
    /// If it is no such file, or one of another version.
    pub fn open(path: &Path) -> Result<Playback, ProducerError> {
        Playback::from_tape(Tape::open(path)?)
    }

    /// Plays a tape.
    ///
    /// # Errors
    /// If it does not begin as a recording does.
    pub fn from_tape(tape: Tape) -> Result<Playback, ProducerError> {
        // The recording's own settings take the place of these.
        Ok(Playback { sweeper: Sweeper::with_tape(Producer::default(), tape)?, is_over: false })
    }
}

/// Ends behind the last whole sweep, or with the error that says what there is in place of one.
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
