//! The results of an evaluation, and their JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    case_list::SkippedScenario,
    false_alarms::FalseAlarmCount,
    figures::Figures,
    judge::{JudgedCase, Outcome},
    settings::EvaluationSettings,
    training::TRAINED_RANKERS,
};

/// Name of the ranker for which all suspects tie.
pub const RANDOM: &str = "random";

/// The results of an evaluation.
#[derive(Debug, Default)]
pub struct Results {
    /// The judged cases, in the order of the list.
    pub judged: Vec<JudgedCase>,
    /// For each healthy stream its system, and the false alarms of each trained ranker in the part
    /// that was held out.
    pub held_out: Vec<(String, Vec<FalseAlarmCount>)>,
    /// Scenarios of the plan that were skipped when the cases were recorded.
    pub skipped: Vec<SkippedScenario>,
}

/// The figures of one ranker.
#[derive(Debug, Serialize)]
pub struct RankerReport {
    /// Over all cases.
    #[serde(flatten)]
    pub all: Figures,
    /// By fault. Benign cases have false alarms only.
    pub per_fault: BTreeMap<String, Figures>,
    /// By family of faults.
    pub per_family: BTreeMap<String, Figures>,
    /// By system.
    pub by_system: BTreeMap<String, Figures>,
    /// Each case that has a fault.
    pub cases: Vec<Value>,
    /// Benign cases with false alarms, and the root causes that these name.
    pub false_alarm_cases: Vec<Value>,
}

/// Index and name of each ranker, in the order in which they are shown.
pub fn ranker_names() -> impl Iterator<Item = (usize, &'static str)> {
    TRAINED_RANKERS.iter().map(|(name, _)| *name).chain([RANDOM]).enumerate()
}

impl Results {
    /// Whether any case has a symptom.
    pub fn has_symptoms(&self) -> bool {
        self.judged.iter().any(|judged| judged.case.input.symptom.is_some())
    }

    /// The figures of one ranker; `with_hint`: given the symptom.
    pub fn ranker_report(&self, ranker: usize, with_hint: bool) -> RankerReport {
        RankerReport {
            all: self.figures(ranker, with_hint, |_| true, |_| true),
            per_fault: self.group_by(ranker, with_hint, |judged| Some(fault_name(judged))),
            per_family: self.group_by(ranker, with_hint, |judged| judged.case.truth.family.clone()),
            by_system: self.group_by_system(ranker, with_hint),
            cases: self.outcomes(ranker, with_hint).map(|(judged, outcome)| case_json(judged, outcome)).collect(),
            false_alarm_cases: self
                .falsely_blamed(ranker)
                .map(|(judged, named)| json!({"case": judged.case.name, "named": named}))
                .collect(),
        }
    }

    /// The cases that have a fault, with the outcome of one ranker.
    pub fn outcomes(&self, ranker: usize, with_hint: bool) -> impl Iterator<Item = (&JudgedCase, &Outcome)> {
        self.judged.iter().filter_map(move |judged| {
            let outcomes = if with_hint { &judged.outcomes_with_hint } else { &judged.outcomes };
            Some((judged, outcomes.as_ref()?.get(ranker)?))
        })
    }

    /// The benign cases with false alarms of one ranker, and the root causes that these name.
    pub fn falsely_blamed(&self, ranker: usize) -> impl Iterator<Item = (&JudgedCase, &Vec<String>)> {
        let benign = self.judged.iter().filter_map(move |judged| {
            let named = judged.falsely_blamed.as_ref()?.get(ranker)?;
            Some((judged, named))
        });
        benign.filter(|(_, named)| !named.is_empty())
    }

    /// The JSON that `detective evaluate --json` prints.
    pub fn to_json(&self, settings: &EvaluationSettings, with_hint: bool) -> Value {
        let rankers = |with_hint| {
            let reports = ranker_names().map(|(index, name)| {
                let report = self.ranker_report(index, with_hint);
                (name.to_owned(), json!(report))
            });
            Value::Object(reports.collect::<Map<_, _>>())
        };
        let with_hint = with_hint && self.has_symptoms();
        let mut json = json!({"rankers": rankers(with_hint), "hint": with_hint, "settings": settings.to_json()});
        if !self.skipped.is_empty() {
            json["skipped"] = json!(self.skipped);
        }
        if self.has_symptoms() {
            let key = if with_hint { "rankers_without_hint" } else { "rankers_with_hint" };
            json[key] = rankers(!with_hint);
        }
        json
    }

    fn figures(
        &self,
        ranker: usize,
        with_hint: bool,
        includes_case: impl Fn(&JudgedCase) -> bool,
        includes_system: impl Fn(&str) -> bool,
    ) -> Figures {
        let outcomes: Vec<(String, &Outcome)> = self
            .outcomes(ranker, with_hint)
            .filter(|(judged, _)| includes_case(judged))
            .map(|(judged, outcome)| (judged.case.repetition_key(), outcome))
            .collect();
        let benign = self.judged.iter().filter(|judged| includes_case(judged)).filter_map(|judged| {
            let counts = judged.false_alarms.as_ref()?;
            Some((judged.case.repetition_key(), counts))
        });
        let held_out = self.held_out.iter().enumerate().filter(|(_, (system, _))| includes_system(system));
        let held_out = held_out.map(|(index, (_, counts))| (format!("stream {index}"), counts));
        let healthy = benign.chain(held_out).filter_map(|(key, counts)| Some((key, *counts.get(ranker)?)));
        Figures::compute(&outcomes, &healthy.collect::<Vec<_>>())
    }

    fn group_by(
        &self,
        ranker: usize,
        with_hint: bool,
        key: impl Fn(&JudgedCase) -> Option<String>,
    ) -> BTreeMap<String, Figures> {
        let keys: BTreeSet<String> = self.judged.iter().filter_map(&key).collect();
        let figures =
            |wanted: &String| self.figures(ranker, with_hint, |judged| key(judged).as_ref() == Some(wanted), |_| false);
        keys.into_iter().map(|wanted| (wanted.clone(), figures(&wanted))).collect()
    }

    fn group_by_system(&self, ranker: usize, with_hint: bool) -> BTreeMap<String, Figures> {
        let systems: BTreeSet<&String> = self.judged.iter().map(|judged| &judged.case.truth.system).collect();
        let figures = |system: &String| {
            self.figures(ranker, with_hint, |judged| judged.case.truth.system == *system, |other| other == system)
        };
        systems.into_iter().map(|system| (system.clone(), figures(system))).collect()
    }
}

/// Name under which a case is grouped by fault.
pub fn fault_name(judged: &JudgedCase) -> String {
    judged.case.truth.fault.clone().unwrap_or_else(|| "healthy".to_owned())
}

fn case_json(judged: &JudgedCase, outcome: &Outcome) -> Value {
    json!({
        "case": judged.case.name,
        "fault": fault_name(judged),
        "rank": outcome.rank,
        "alarm": outcome.alarmed,
        "alarm_after_s": outcome.alarm_delay_s,
        "first_incident_names_it": outcome.first_incident_names_it,
        "ranked_above": outcome.ranked_above,
        "client_impact": judged.case.truth.client_impact,
    })
}
