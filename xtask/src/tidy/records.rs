//! Checks that each released record has its golden bytes.

use crate::repository::root;

const RECORDS: [&str; 7] =
    ["GraphSnapshot", "HealthySnapshot", "ModelRelease", "RootCauseEvent", "Incident", "OperatorAction", "RawRead"];

/// Checks that the first version of each record is there.
///
/// # Errors
/// If the folder cannot be read.
pub fn check(problems: &mut Vec<String>) -> anyhow::Result<()> {
    for record in RECORDS {
        let name = format!("schemas/golden/{record}.v1.avro");
        if !root().join(&name).try_exists()? {
            problems.push(format!("{name} is missing"));
        }
    }
    Ok(())
}
