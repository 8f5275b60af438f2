//! All that is found out about the rankers, for programs.

use std::collections::{BTreeMap, BTreeSet};

use graph::RECIPE_VERSION;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    cases::LeftOut,
    figures::Figures,
    intervals,
    judge::{Judged, Mark},
    lesson::{LEARNERS, Quiet, School},
};

/// The name of the ranker that knows nothing.
pub const RANDOM: &str = "random";

/// The cases that were judged, and healthy time that belongs to no case.
#[derive(Debug, Default)]
pub struct Results {
    /// By the order of the list.
    pub judged: Vec<Judged>,
    /// The system, and what each of the learners told in its healthy time.
    pub quiet: Vec<(String, Vec<Quiet>)>,
    /// What a plan has and was not played.
    pub left_out: Vec<LeftOut>,
}

/// One ranker's figures.
#[derive(Debug, Serialize)]
pub struct OfRanker {
    /// Over all cases.
    #[serde(flatten)]
    pub all: Figures,
    /// By fault; of harmless changes and healthy stretches what was told in them.
    pub per_fault: BTreeMap<String, Figures>,
    /// By family of faults.
    pub per_family: BTreeMap<String, Figures>,
    /// By system.
    pub by_system: BTreeMap<String, Figures>,
    /// Case by case.
    pub cases: Vec<Value>,
    /// The cases in which nothing was wrong and incidents were opened, and whom these named.
    pub false_alarm_cases: Vec<Value>,
}

/// The rankers by name, in the order in which they are shown.
pub fn names() -> impl Iterator<Item = (usize, &'static str)> {
    LEARNERS.iter().map(|(name, _)| *name).chain([RANDOM]).enumerate()
}

impl Results {
    /// Whether any case tells its symptom.
    pub fn has_symptoms(&self) -> bool {
        self.judged.iter().any(|judged| judged.case.question.symptom.is_some())
    }

    /// The figures of one ranker, where the symptom is told or is not.
    pub fn of_ranker(&self, ranker: usize, is_hinted: bool) -> OfRanker {
        OfRanker {
            all: self.figures(ranker, is_hinted, |_| true, |_| true),
            per_fault: self.grouped(ranker, is_hinted, |judged| Some(fault(judged))),
            per_family: self.grouped(ranker, is_hinted, |judged| judged.case.truth.family.clone()),
            by_system: self.by_system(ranker, is_hinted),
            cases: self.cases(ranker, is_hinted).map(|(judged, mark)| case_line(judged, mark)).collect(),
            false_alarm_cases: self
                .accused(ranker)
                .map(|(judged, named)| json!({"case": judged.case.name, "named": named}))
                .collect(),
        }
    }

    /// The cases in which something was wrong, with a ranker's marks.
    pub fn cases(&self, ranker: usize, is_hinted: bool) -> impl Iterator<Item = (&Judged, &Mark)> {
        self.judged.iter().filter_map(move |judged| {
            let marks = if is_hinted { &judged.hinted } else { &judged.marks };
            Some((judged, marks.as_ref()?.get(ranker)?))
        })
    }

    /// The cases in which nothing was wrong and the ranker opened incidents, with whom these named.
    pub fn accused(&self, ranker: usize) -> impl Iterator<Item = (&Judged, &Vec<String>)> {
        let of_all = self.judged.iter().filter_map(move |judged| Some((judged, judged.accused.as_ref()?.get(ranker)?)));
        of_all.filter(|(_, named)| !named.is_empty())
    }

    /// What `--json` prints.
    pub fn to_json(&self, school: &School, is_hinted: bool) -> Value {
        let rankers = |is_hinted| {
            let entries = names().map(|(at, name)| (name.to_owned(), json!(self.of_ranker(at, is_hinted))));
            Value::Object(entries.collect::<Map<_, _>>())
        };
        let is_hinted = is_hinted && self.has_symptoms();
        let mut all = json!({"rankers": rankers(is_hinted), "hint": is_hinted, "settings": settings(school)});
        if !self.left_out.is_empty() {
            all["left_out"] = json!(self.left_out);
        }
        if self.has_symptoms() {
            let other = if is_hinted { "rankers_without_hint" } else { "rankers_with_hint" };
            all[other] = rankers(!is_hinted);
        }
        all
    }

    fn figures(
        &self,
        ranker: usize,
        is_hinted: bool,
        is_wanted: impl Fn(&Judged) -> bool,
        is_wanted_system: impl Fn(&str) -> bool,
    ) -> Figures {
        let marks = self.cases(ranker, is_hinted).filter(|(judged, _)| is_wanted(judged));
        let marks: Vec<(String, &Mark)> = marks.map(|(judged, mark)| (judged.case.repeats(), mark)).collect();
        let wanted = self.judged.iter().filter(|judged| is_wanted(judged));
        let of_cases = wanted.filter_map(|judged| Some((judged.case.repeats(), judged.quiet.as_ref()?)));
        let of_streams = self.quiet.iter().zip(0..).filter(|((system, _), _)| is_wanted_system(system));
        let of_streams = of_streams.map(|((_, quiet), at)| (format!("stream {at}"), quiet));
        let quiet = of_cases.chain(of_streams).filter_map(|(key, quiet)| Some((key, *quiet.get(ranker)?)));
        Figures::of(&marks, &quiet.collect::<Vec<_>>())
    }

    fn grouped(
        &self,
        ranker: usize,
        is_hinted: bool,
        key: impl Fn(&Judged) -> Option<String>,
    ) -> BTreeMap<String, Figures> {
        let keys: BTreeSet<String> = self.judged.iter().filter_map(&key).collect();
        let figures =
            |wanted: &String| self.figures(ranker, is_hinted, |judged| key(judged).as_ref() == Some(wanted), |_| false);
        keys.into_iter().map(|wanted| (wanted.clone(), figures(&wanted))).collect()
    }

    fn by_system(&self, ranker: usize, is_hinted: bool) -> BTreeMap<String, Figures> {
        let systems: BTreeSet<&String> = self.judged.iter().map(|judged| &judged.case.truth.system).collect();
        let figures = |system: &String| {
            self.figures(ranker, is_hinted, |judged| judged.case.truth.system == *system, |other| other == system)
        };
        systems.into_iter().map(|system| (system.clone(), figures(system))).collect()
    }
}

/// What a case is filed under.
pub fn fault(judged: &Judged) -> String {
    judged.case.truth.fault.clone().unwrap_or_else(|| "healthy".to_owned())
}

fn case_line(judged: &Judged, mark: &Mark) -> Value {
    json!({
        "case": judged.case.name,
        "fault": fault(judged),
        "rank": mark.rank,
        "alarm": mark.alarmed,
        "alarm_after_s": mark.alarmed_after_s,
        "first_incident_names_it": mark.named,
        "above": mark.above,
        "hurt": judged.case.truth.hurt,
    })
}

/// What the figures depend on.
fn settings(school: &School) -> Value {
    let (training, alarm) = (&school.training, &school.alarm);
    json!({
        "recipe": RECIPE_VERSION,
        "seed": training.seed,
        "epochs": training.epochs,
        "learning_rate": training.learning_rate,
        "max_snapshots": training.max_snapshots,
        "max_nodes": training.max_nodes,
        "wanted_false_alarms_per_day": training.false_alarms_per_day,
        "sweeps_of_three": alarm.sweeps_of_three,
        "quiet_sweeps": alarm.quiet_sweeps,
        "bootstrap": {"resamples": intervals::RESAMPLES, "seed": intervals::SEED},
    })
}
