//! What a recording of raw reads begins with: whose they are, and with which settings they were made.

use std::path::PathBuf;

use hostread::{Seen, Tape};
use serde::{Deserialize, Serialize};

use crate::{Producer, ProducerError, SweepConfig};

/// The question that is asked before all others.
const QUESTION: &str = "producer";

#[derive(Serialize, Deserialize)]
struct Preamble {
    // Of Local Detective; for those who wonder why a recording does not fit.
    version: String,
    host: String,
    cohort: String,
    own_paths: Vec<String>,
    sweep: SweepConfig,
}

/// The settings to go by: those that are given, which a recording begins with, or those that a recording began with.
///
/// # Errors
/// If a recording does not tell them, or they cannot be written down.
pub fn settings(given: Producer, tape: &Tape) -> Result<Producer, ProducerError> {
    let mut bytes = Vec::new();
    if tape.is_playback() {
        return match tape.bytes(QUESTION, "", &mut bytes, |_| Seen::Gone) {
            Seen::Here(()) => played(&bytes, tape),
            _ => Err(ProducerError::NoSettings { reason: "they are not there".to_owned() }),
        };
    }
    let own_paths = real_paths(&given.own_paths);
    let Producer { host, cohort, sweep, .. } = given;
    let preamble = Preamble { version: env!("CARGO_PKG_VERSION").to_owned(), host, cohort, own_paths, sweep };
    let written = serde_json::to_vec(&preamble).map_err(|error| ProducerError::Settings {
        problems: vec![format!("`sweep` cannot be written down: {error}")],
    })?;
    tape.bytes(QUESTION, "", &mut bytes, |buffer| {
        buffer.extend_from_slice(&written);
        Seen::Here(())
    });
    Ok(preamble.into_producer())
}

fn played(bytes: &[u8], tape: &Tape) -> Result<Producer, ProducerError> {
    let preamble: Preamble =
        serde_json::from_slice(bytes).map_err(|error| ProducerError::NoSettings { reason: error.to_string() })?;
    tape.set_recorder_version(&preamble.version);
    Ok(preamble.into_producer())
}

/// Open files are told by their absolute and real paths; in text, as the kernel's links are.
fn real_paths(paths: &[PathBuf]) -> Vec<String> {
    let absolute: Vec<PathBuf> = paths.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
    let real = absolute.iter().filter_map(|path| path.canonicalize().ok());
    real.chain(absolute.iter().cloned()).map(|path| path.to_string_lossy().into_owned()).collect()
}

impl Preamble {
    fn into_producer(self) -> Producer {
        let Preamble { host, cohort, own_paths, sweep, .. } = self;
        Producer { host, cohort, sweep, own_paths: own_paths.into_iter().map(PathBuf::from).collect() }
    }
}
