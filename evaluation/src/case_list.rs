//! The cases of a directory, read from `cases.json`.

mod entries;

use std::{
    collections::HashSet,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::Hint;

use crate::case::Case;

/// Name of the file that lists the cases of a directory.
pub const CASES_FILE: &str = "cases.json";
/// Name of the file that lists the scenarios of a plan that were skipped.
pub const SKIPPED_FILE: &str = "left_out.json";

const FORMATS_HINT: &str = "see `docs/quality.md` for the two forms of a directory of cases";

/// A fault or benign change of a plan that was not executed, or not recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkippedScenario {
    /// Name of the fault or benign change.
    pub fault: String,
    /// Why it was skipped.
    pub reason: String,
}

/// Reads the cases of a directory in their order; with `only`, just the cases of these names.
///
/// # Errors
/// If `cases.json` is missing, empty or malformed, mixes both formats, lists a name twice, or lacks
/// a name of `only`.
pub fn read(folder: &Path, only: &[String]) -> anyhow::Result<Vec<Case>> {
    let list = folder.join(CASES_FILE);
    let cannot = || format!("cannot read `{}`", list.display());
    let text = fs::read_to_string(&list).with_context(cannot).hint(FORMATS_HINT)?;
    let entries: Vec<Value> = serde_json::from_str(&text).with_context(cannot).hint(FORMATS_HINT)?;
    let mut cases = Vec::with_capacity(entries.len());
    for (number, entry) in (1..).zip(&entries) {
        let context = || format!("case {number} of `{}`", list.display());
        cases.push(entries::parse(folder, entry).with_context(context).hint(FORMATS_HINT)?);
    }
    check_one_format(&cases, &list)?;
    if let Some(name) = first_duplicate(cases.iter().map(|case| case.name.as_str())) {
        return Err(anyhow::anyhow!("expected one case `{name}` in `{}`, found more", list.display()))
            .hint(FORMATS_HINT);
    }
    select(cases, only, &list)
}

/// Reads which scenarios were skipped when the directory was recorded. A directory that no plan
/// recorded has none.
///
/// # Errors
/// If the file is malformed or unreadable.
pub fn read_skipped(folder: &Path) -> anyhow::Result<Vec<SkippedScenario>> {
    let file: PathBuf = folder.join(SKIPPED_FILE);
    let cannot = || format!("cannot read `{}`", file.display());
    match fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text).with_context(cannot),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(cannot),
    }
}

fn check_one_format(cases: &[Case], list: &Path) -> anyhow::Result<()> {
    let Some(first) = cases.first() else {
        return Err(anyhow::anyhow!("`{}` lists no cases", list.display())).hint(FORMATS_HINT);
    };
    let Some(other) = cases.iter().find(|case| case.input.format != first.input.format) else { return Ok(()) };
    Err(anyhow::anyhow!(
        "expected one form for all cases: those with `candidates`, or those with `t_end`; in `{}` the cases `{}` and \
         `{}` differ",
        list.display(),
        first.name,
        other.name
    ))
    .hint(FORMATS_HINT)
}

fn select(cases: Vec<Case>, only: &[String], list: &Path) -> anyhow::Result<Vec<Case>> {
    if let Some(unknown) = only.iter().find(|name| !cases.iter().any(|case| case.name == **name)) {
        return Err(anyhow::anyhow!("`{}` has no case `{unknown}`", list.display()))
            .hint("use names of the list, separated by commas");
    }
    Ok(cases.into_iter().filter(|case| only.is_empty() || only.contains(&case.name)).collect())
}

fn first_duplicate<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name))
}
