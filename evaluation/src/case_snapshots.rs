//! The snapshots of a case, in either format.

use std::path::Path;

use anyhow::Context;
use graph::Profile;
use schemas::GraphSnapshot;
use service::Hint;

use crate::{
    case::{CaseFormat, CaseInput},
    json_lines::{self, Phase},
    recording::Recording,
};

/// Iterator over snapshots and the phase that each belongs to.
pub type CaseSnapshots = Box<dyn Iterator<Item = anyhow::Result<(Phase, GraphSnapshot)>>>;

/// Opens the case's own file.
///
/// # Errors
/// If the file is missing or malformed.
pub fn open(input: &CaseInput) -> anyhow::Result<CaseSnapshots> {
    open_file(input, &input.file, Phase::Faulty)
}

/// Opens the file to learn from, and returns its healthy snapshots.
///
/// # Errors
/// If the file is missing or malformed.
pub fn open_healthy(input: &CaseInput) -> anyhow::Result<impl Iterator<Item = anyhow::Result<GraphSnapshot>>> {
    let snapshots = open_file(input, input.healthy_file(), Phase::Healthy)?;
    Ok(snapshots.filter_map(|entry| match entry {
        Ok((Phase::Healthy, snapshot)) => Some(Ok(snapshot)),
        Ok((Phase::Faulty, _)) => None,
        Err(error) => Some(Err(error)),
    }))
}

/// Opens a file in the case's folder. Lines of JSON contain their phase; all of a recording is of
/// `phase`.
fn open_file(input: &CaseInput, name: &str, phase: Phase) -> anyhow::Result<CaseSnapshots> {
    match input.format {
        CaseFormat::JsonLines => Ok(Box::new(json_lines::open(&input.folder, name, &input.system)?)),
        CaseFormat::Recording => open_recording(&input.folder.join(format!("{name}.avro")), phase),
    }
}

fn open_recording(path: &Path, phase: Phase) -> anyhow::Result<CaseSnapshots> {
    let mut recording = Recording::open(path)?;
    if recording.host_count() > 1 {
        let hosts = recording.host_count();
        return Err(anyhow::anyhow!("expected a recording of one host in `{}`, found {hosts} hosts", path.display()))
            .hint("record one host alone: `detective record FILE --host ID`");
    }
    if let Some(error) = recording.take_read_error() {
        return Err(error).with_context(|| format!("`{}` is incomplete", path.display()));
    }
    Ok(Box::new((0..recording.len()).map(move |index| Ok((phase, recording.snapshot(index)?)))))
}

/// Adapts a snapshot of a case to the profile of a model.
pub fn adapt_to_profile(profile: Profile, format: CaseFormat, snapshot: GraphSnapshot) -> GraphSnapshot {
    match (profile, format) {
        (Profile::Classic, CaseFormat::JsonLines) => json_lines::adapt_to_classic(snapshot),
        _ => snapshot,
    }
}
