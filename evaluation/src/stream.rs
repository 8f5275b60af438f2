//! The snapshots of a file, one after another, however they are kept.

use std::path::Path;

use anyhow::Context;
use graph::Profile;
use schemas::GraphSnapshot;
use service::Hint;

use super::{
    cases::Form,
    lines::{self, Phase},
    recording::Recording,
};

/// A snapshot and which part of its file it belongs to.
pub type Seen = anyhow::Result<(Phase, GraphSnapshot)>;

/// Opens `FOLDER/NAME` in that form. `is_healthy` tells what a recording shows; lines tell it themselves.
///
/// # Errors
/// If there is no such file, or it is not in that form.
pub fn open(
    form: Form,
    folder: &Path,
    name: &str,
    system: &str,
    is_healthy: bool,
) -> anyhow::Result<Box<dyn Iterator<Item = Seen>>> {
    match form {
        Form::Lines => Ok(Box::new(lines::open(folder, name, system)?)),
        Form::Recording => {
            let phase = if is_healthy { Phase::Healthy } else { Phase::Faulty };
            recording(&folder.join(format!("{name}.avro")), phase)
        }
    }
}

fn recording(path: &Path, phase: Phase) -> anyhow::Result<Box<dyn Iterator<Item = Seen>>> {
    let mut recording = Recording::open(path)?;
    if recording.hosts() > 1 {
        let hosts = recording.hosts();
        return Err(anyhow::anyhow!("expected a recording of one host, `{}` is of {hosts}", path.display()))
            .hint("record one alone: `detective record FILE --host ID`");
    }
    if let Some(broken) = recording.take_broken() {
        return Err(broken).with_context(|| format!("`{}` is not whole", path.display()));
    }
    let snapshots = (0..recording.len()).map(move |at| Ok((phase, recording.snapshot(at)?)));
    Ok(Box::new(snapshots))
}

/// A snapshot as a model of that profile is to see it.
pub fn as_seen_by(profile: Profile, form: Form, snapshot: GraphSnapshot) -> GraphSnapshot {
    match (profile, form) {
        (Profile::Classic, Form::Lines) => lines::as_the_original(snapshot),
        _ => snapshot,
    }
}
