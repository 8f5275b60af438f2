//! First entry of a recording of raw reads: the host, and the settings that the sweeps were made
//! with.

use std::path::PathBuf;

use hostread::{Seen, Tape, parse};
use serde::{Deserialize, Serialize};

use crate::{Producer, ProducerError, SweepConfig};

/// Key of the entry. It is requested from the tape before all others.
const QUESTION: &str = "producer";

#[derive(Serialize, Deserialize)]
struct Preamble {
    // Version of Local Detective that made the recording, for error messages about incompatible
    // recordings.
    version: String,
    host: String,
    cohort: String,
    // Escaped, because a path is bytes and JSON is text.
    own_paths: Vec<String>,
    sweep: SweepConfig,
}

/// Returns the settings of the sweeps. On a live or recording tape these are `given`, which are
/// recorded; on a playing tape, those of the recording.
///
/// # Errors
/// If the recording does not start with settings, or `given` cannot be serialized.
pub fn settings(given: Producer, tape: &Tape) -> Result<Producer, ProducerError> {
    let mut bytes = Vec::new();
    if tape.is_playback() {
        return match tape.bytes(QUESTION, "", &mut bytes, |_| Seen::Gone) {
            Seen::Here(()) => from_recording(&bytes, tape),
            _ => Err(ProducerError::NoSettings { reason: "the settings are missing".to_owned() }),
        };
    }
    let own_paths = real_paths(&given.own_paths);
    let Producer { host, cohort, sweep, .. } = given;
    let preamble = Preamble { version: env!("CARGO_PKG_VERSION").to_owned(), host, cohort, own_paths, sweep };
    let written = serde_json::to_vec(&preamble)
        .map_err(|error| ProducerError::Settings { problems: vec![format!("cannot serialize `sweep`: {error}")] })?;
    tape.bytes(QUESTION, "", &mut bytes, |buffer| {
        buffer.extend_from_slice(&written);
        Seen::Here(())
    });
    Ok(preamble.into_producer())
}

fn from_recording(bytes: &[u8], tape: &Tape) -> Result<Producer, ProducerError> {
    let preamble: Preamble =
        serde_json::from_slice(bytes).map_err(|error| ProducerError::NoSettings { reason: error.to_string() })?;
    tape.set_recorder_version(&preamble.version);
    Ok(preamble.into_producer())
}

/// Returns the paths as absolute and as real paths. The kernel links open files by their real
/// paths.
fn real_paths(paths: &[PathBuf]) -> Vec<String> {
    let absolute: Vec<PathBuf> = paths.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
    let real = absolute.iter().filter_map(|path| path.canonicalize().ok());
    real.chain(absolute.iter().cloned()).map(parse::path_text).collect()
}

impl Preamble {
    fn into_producer(self) -> Producer {
        let Preamble { host, cohort, own_paths, sweep, .. } = self;
        let own_paths = own_paths.iter().map(|path| parse::path_from_text(path)).collect();
        Producer { host, cohort, sweep, own_paths }
    }
}
