//! The cases of a directory: what is asked of those who rank, and apart from it what is true.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::Context;
use schemas::{Suspect, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::Hint;

use super::live::hurt::Hurt;
use faults::truth;

/// The file that lists the cases.
pub const LIST: &str = "cases.json";
/// The file that lists what was not played, beside those that were.
pub const LEFT_OUT: &str = "left_out.json";
const FORMS: &str = "see `docs/quality.md` for the two forms of a directory of cases";

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name, which is that of its file.
    pub name: String,
    /// All that those who rank are given.
    pub question: Question,
    /// What they are judged by, and never see.
    pub truth: Truth,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// How its snapshots are kept.
    pub form: Form,
    /// The folder of its files.
    pub folder: PathBuf,
    /// The name of its file, without what follows the point.
    pub file: String,
    /// The file to learn from; none: the case's own, as far as it is healthy.
    pub healthy: Option<String>,
    /// The system that it is about.
    pub system: String,
    /// Who may be named, by role; empty: whoever is seen.
    pub candidates: Vec<String>,
    /// The role of the node that is known to suffer.
    pub symptom: Option<String>,
    /// When the ranking is asked for; none: behind the last snapshot.
    pub asked_at: Option<Timestamp>,
}

/// How snapshots are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line of JSON each, of graphs that did not come from a host: the public cases.
    Lines,
    /// A recording of a host.
    Recording,
}

/// What is true of a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// The fault; none for a healthy stretch.
    pub fault: Option<String>,
    /// The fault's family.
    pub family: Option<String>,
    /// The system that it happened in.
    pub system: String,
    /// Whether nothing may be told: a change that does no harm, or none at all.
    pub is_harmless: bool,
    /// From when to when it lasted, where that is known to the second.
    pub lasted: Option<(Timestamp, Timestamp)>,
    /// The right answers: of each cause all that it may be called.
    pub causes: Vec<Vec<Label>>,
    /// Who only suffers, where that is known.
    pub victims: Option<Vec<Label>>,
    /// What clients felt of it, where they told.
    pub hurt: Option<Hurt>,
}

/// A change that a plan has and that was not played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub fault: String,
    /// Why.
    pub reason: String,
}

/// A node as the truth names it.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// By its id in a foreign graph, which is its role.
    Id(String),
    /// As it was on the host.
    Form(truth::Suspect),
}

impl Case {
    /// What it repeats: its fault, and in a foreign graph whom it befell. A stretch without any repeats nothing.
    pub fn repeats(&self) -> String {
        let Some(fault) = &self.truth.fault else { return self.name.clone() };
        let ids = self.truth.causes.iter().flatten().filter_map(|label| match label {
            Label::Id(id) => Some(id.as_str()),
            Label::Form(_) => None,
        });
        [fault.as_str()].into_iter().chain(ids).collect::<Vec<_>>().join("\n")
    }
}

impl Question {
    /// The name of the file that is learned from.
    pub fn learned_from(&self) -> &str {
        self.healthy.as_deref().unwrap_or(&self.file)
    }
}

impl Truth {
    /// Whether the suspect is a right answer.
    pub fn is_cause(&self, suspect: &Suspect) -> bool {
        self.causes.iter().flatten().any(|label| label.is(suspect))
    }
}

impl Label {
    /// Whether the suspect is the one that is meant: by what identifies its kind where the truth tells that, else by name.
    pub fn is(&self, suspect: &Suspect) -> bool {
        let form = match self {
            Label::Id(id) => return *id == suspect.role,
            Label::Form(form) => form,
        };
        suspect.kind == form.kind.as_str()
            && match form.kind.as_str() {
                "process" if form.pid.is_some() => form.pid.map(i64::from) == suspect.pid,
                "file" if form.path.is_some() => form.path == suspect.path,
                "endpoint" if form.endpoint.is_some() => form.endpoint == suspect.endpoint,
                _ => form.name == suspect.name,
            }
    }
}

/// A case of the public sets; what else they tell is not read.
#[derive(Deserialize)]
struct OfLines {
    case: String,
    system: String,
    fault: String,
    healthy: Option<String>,
    root_cause: Vec<String>,
    candidates: Vec<String>,
    #[serde(default)]
    symptom: Option<Symptom>,
}

#[derive(Deserialize)]
struct Symptom {
    node: String,
}

/// A case of our own.
#[derive(Deserialize)]
struct OfRecording {
    case: String,
    system: String,
    fault: Option<String>,
    #[serde(default)]
    family: Option<String>,
    #[serde(default)]
    harmless: bool,
    healthy: String,
    t_inject: f64,
    t_end: f64,
    root_cause: Vec<truth::Suspect>,
    #[serde(default)]
    victims: Option<Vec<truth::Suspect>>,
    #[serde(default)]
    hurt: Option<Hurt>,
}

/// Reads the list of a directory, in its order; of the cases those in `only`, if any are.
///
/// # Errors
/// If there is no list, it is in neither form or in both, names a case twice, or lacks one that is asked for.
pub fn read(folder: &Path, only: &[String]) -> anyhow::Result<Vec<Case>> {
    let list = folder.join(LIST);
    let name = || format!("cannot read `{}`", list.display());
    let text = std::fs::read_to_string(&list).with_context(name).hint(FORMS)?;
    let cases: Vec<Value> = serde_json::from_str(&text).with_context(name).hint(FORMS)?;
    let parse = |(at, case): (usize, &Value)| {
        let what = || format!("case {} of `{}`", at + 1, list.display());
        parse(folder, case).with_context(what).hint(FORMS)
    };
    let cases = cases.iter().enumerate().map(parse).collect::<Result<Vec<Case>, _>>()?;
    check_form(&cases, &list)?;
    if let Some(name) = twice(cases.iter().map(|case| case.name.as_str())) {
        return Err(anyhow::anyhow!("expected one case `{name}` in `{}`, found more", list.display())).hint(FORMS);
    }
    select(cases, only, &list)
}

/// What was not played of a directory's plan; nothing if it was not made by one.
///
/// # Errors
/// If the file that tells it is none.
pub fn left_out(folder: &Path) -> anyhow::Result<Vec<LeftOut>> {
    let file = folder.join(LEFT_OUT);
    let name = || format!("cannot read `{}`", file.display());
    match std::fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text).with_context(name),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(name),
    }
}

fn check_form(cases: &[Case], list: &Path) -> anyhow::Result<()> {
    let Some(first) = cases.first() else {
        return Err(anyhow::anyhow!("`{}` lists no cases", list.display())).hint(FORMS);
    };
    let Some(other) = cases.iter().find(|case| case.question.form != first.question.form) else { return Ok(()) };
    let what = "one form for all cases: those with `candidates`, or those with `t_end`";
    let (first, other, list) = (&first.name, &other.name, list.display());
    Err(anyhow::anyhow!("expected {what}; in `{list}` the cases `{first}` and `{other}` differ")).hint(FORMS)
}

fn select(cases: Vec<Case>, only: &[String], list: &Path) -> anyhow::Result<Vec<Case>> {
    if let Some(unknown) = only.iter().find(|name| !cases.iter().any(|case| case.name == **name)) {
        return Err(anyhow::anyhow!("`{}` has no case `{unknown}`", list.display()))
            .hint("name cases as the list does, with commas between them");
    }
    Ok(cases.into_iter().filter(|case| only.is_empty() || only.contains(&case.name)).collect())
}

fn parse(folder: &Path, case: &Value) -> anyhow::Result<Case> {
    match (case.get("candidates").is_some(), case.get("t_end").is_some()) {
        (true, false) => of_lines(folder, serde_json::from_value(case.clone())?),
        (false, true) => of_recording(folder, serde_json::from_value(case.clone())?),
        (true, true) => anyhow::bail!("expected `candidates` or `t_end`, found both"),
        (false, false) => anyhow::bail!("expected `candidates` or `t_end`, found neither"),
    }
}

fn of_lines(folder: &Path, case: OfLines) -> anyhow::Result<Case> {
    if case.root_cause.is_empty() {
        anyhow::bail!("`{}`: expected a root cause, found none", case.case);
    }
    if let Some(other) = case.root_cause.iter().find(|cause| !case.candidates.contains(cause)) {
        anyhow::bail!("`{}`: expected the root cause among the candidates, found `{other}`", case.case);
    }
    for (what, ids) in [("root cause", &case.root_cause), ("candidate", &case.candidates)] {
        if let Some(id) = twice(ids.iter().map(String::as_str)) {
            anyhow::bail!("`{}`: expected each {what} once, found `{id}` again", case.case);
        }
    }
    let kind = case.fault.split('@').next().unwrap_or_default().to_owned();
    Ok(Case {
        question: Question {
            form: Form::Lines,
            folder: folder.to_owned(),
            file: case.case.clone(),
            healthy: case.healthy,
            system: case.system.clone(),
            candidates: case.candidates,
            symptom: case.symptom.map(|symptom| symptom.node),
            asked_at: None,
        },
        truth: Truth {
            fault: Some(kind),
            system: case.system,
            causes: case.root_cause.into_iter().map(|id| vec![Label::Id(id)]).collect(),
            ..Truth::default()
        },
        name: case.case,
    })
}

fn of_recording(folder: &Path, case: OfRecording) -> anyhow::Result<Case> {
    let (from, until) = (millis(case.t_inject), millis(case.t_end));
    let is_harmless = case.harmless || case.fault.is_none();
    if from > until {
        anyhow::bail!(
            "`{}`: expected `t_end` not before `t_inject`, found {} and {}",
            case.case,
            case.t_end,
            case.t_inject
        );
    }
    if !is_harmless && case.root_cause.is_empty() {
        anyhow::bail!("`{}`: expected a root cause of its fault, found none", case.case);
    }
    let labels = |forms: Vec<truth::Suspect>| forms.into_iter().map(Label::Form).collect::<Vec<_>>();
    Ok(Case {
        question: Question {
            form: Form::Recording,
            folder: folder.to_owned(),
            file: case.case.clone(),
            healthy: Some(case.healthy),
            system: case.system.clone(),
            candidates: Vec::new(),
            symptom: None,
            asked_at: Some(until),
        },
        truth: Truth {
            fault: case.fault,
            family: case.family,
            system: case.system,
            is_harmless,
            lasted: Some((from, until)),
            // One cause with several names, any of which is right.
            causes: if case.root_cause.is_empty() { Vec::new() } else { vec![labels(case.root_cause)] },
            victims: case.victims.map(labels),
            hurt: case.hurt,
        },
        name: case.case,
    })
}

/// What is there more than once.
fn twice<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name))
}

fn millis(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspect(kind: &str, name: &str, pid: Option<u32>, path: Option<&str>) -> Suspect {
        Suspect {
            pid: pid.map(i64::from),
            path: path.map(str::to_owned),
            ..Suspect::unjudged(kind.into(), name, &format!("/usr/bin/{name}"))
        }
    }

    fn form(kind: &str, name: &str, pid: Option<u32>, path: Option<&str>) -> Label {
        let (kind, name, path) = (kind.to_owned(), name.to_owned(), path.map(str::to_owned));
        Label::Form(truth::Suspect { kind, name, pid, path, endpoint: None })
    }

    #[test]
    fn a_process_is_told_by_its_pid_and_without_one_by_its_name() {
        let web = suspect("process", "web", Some(7), None);
        assert!(form("process", "other", Some(7), Some("/usr/bin/web")).is(&web));
        assert!(!form("process", "web", Some(8), None).is(&web), "its twin");
        assert!(form("process", "web", None, Some("/usr/bin/web")).is(&web), "one that was started again and again");
        assert!(Label::Id("/usr/bin/web".to_owned()).is(&web));
    }

    #[test]
    fn who_holds_a_file_is_not_the_file() {
        let holder = suspect("process", "rotate", Some(9), Some("/var/log/a"));
        let file = suspect("file", "a", None, Some("/var/log/a"));
        let label = form("file", "a", None, Some("/var/log/a"));
        assert_eq!((label.is(&holder), label.is(&file)), (false, true));
    }
}
