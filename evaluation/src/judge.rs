//! Compares what rankers report about a case with its ground truth.

use schemas::{Suspect, Timestamp};

use crate::{
    case::{Case, GroundTruth},
    case_run::{CaseRun, RankerRun},
    false_alarms::FalseAlarmCount,
    rankers::{Ranking, SweepReport},
    tied_rank::TiedRanking,
};

/// Figures such as AC@k are computed up to this k.
pub const MAX_K: usize = 5;
/// Number of suspects above the right answer that are shown.
const MAX_SHOWN_ABOVE: usize = 3;

/// A case with what the rankers achieved.
#[derive(Clone, Debug)]
pub struct JudgedCase {
    /// The case.
    pub case: Case,
    /// Outcome of each ranker without the symptom. `None` if the case is benign.
    pub outcomes: Option<Vec<Outcome>>,
    /// Outcome of each ranker given the symptom, or without it if the case has none. `None` if the
    /// case is benign.
    pub outcomes_with_hint: Option<Vec<Outcome>>,
    /// False alarms of each trained ranker. `None` if the case has a fault.
    pub false_alarms: Option<Vec<FalseAlarmCount>>,
    /// Root causes that each trained ranker's false alarms name. `None` if the case has a fault.
    pub falsely_blamed: Option<Vec<Vec<String>>>,
}

/// What one ranker achieved on a case that has a fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// AC@1 to AC@5.
    pub accuracy: [f64; MAX_K],
    /// Reciprocal rank of the first right answer.
    pub reciprocal_rank: f64,
    /// Rank of the first right answer.
    pub rank: f64,
    /// Probability that a right answer is among the first five and before every affected node.
    /// `None` if affected nodes are not known.
    pub strict: Option<f64>,
    /// Whether an alarm began during the fault. `None` for rankers that do not alarm.
    pub alarmed: Option<bool>,
    /// Seconds from the fault to the alarm, if there is one and the time of the fault is known.
    pub alarm_delay_s: Option<f64>,
    /// Whether the first incident of the fault names a right answer when it opens.
    pub first_incident_names_it: Option<bool>,
    /// Suspects above the first right answer, the most suspect first.
    pub ranked_above: Vec<String>,
}

/// Judges the run of a case.
pub fn judge(case: &Case, run: &CaseRun) -> JudgedCase {
    let outcomes = |ranking: &dyn Fn(&RankerRun) -> Ranking| {
        let outcomes =
            run.rankers.iter().map(|ranker| judge_ranker(&case.truth, ranker, &ranking(ranker), &run.candidates));
        (!case.truth.is_benign).then(|| outcomes.collect::<Vec<Outcome>>())
    };
    let alarming = || run.rankers.iter().filter(|ranker| ranker.sweeps.is_some());
    JudgedCase {
        case: case.clone(),
        outcomes: outcomes(&|ranker| ranker.ranking.clone()),
        outcomes_with_hint: outcomes(&|ranker| {
            ranker.ranking_with_hint.clone().unwrap_or_else(|| ranker.ranking.clone())
        }),
        false_alarms: case.truth.is_benign.then(|| alarming().map(count_false_alarms).collect()),
        falsely_blamed: case.truth.is_benign.then(|| alarming().map(blamed_suspects).collect()),
    }
}

fn judge_ranker(truth: &GroundTruth, run: &RankerRun, ranking: &Ranking, candidates: &[Suspect]) -> Outcome {
    let affected = truth.affected.as_deref().unwrap_or_default();
    let ranks = TiedRanking::new(ranking, candidates, &truth.root_causes, affected);
    let first_alarm = run.sweeps.as_deref().map(|sweeps| first_alarm(truth, sweeps));
    let first_incident_names_it = run.sweeps.as_deref().map(|sweeps| {
        let during_fault = sweeps.iter().filter(|sweep| is_during_fault(truth, sweep));
        let first = during_fault.flat_map(|sweep| &sweep.opened).next();
        first.and_then(|incident| incident.initiating.as_ref()).is_some_and(|suspect| truth.is_root_cause(suspect))
    });
    Outcome {
        accuracy: std::array::from_fn(|index| ranks.accuracy(index + 1)),
        reciprocal_rank: ranks.reciprocal_rank(),
        rank: ranks.rank(),
        strict: truth.affected.as_ref().map(|_| ranks.strict_accuracy(MAX_K)),
        alarmed: first_alarm.as_ref().map(Option::is_some),
        alarm_delay_s: first_alarm.flatten().and_then(|sweep| seconds_since_fault(truth, sweep.time)),
        first_incident_names_it,
        ranked_above: suspects_above(truth, ranking),
    }
}

/// Whether a sweep ended during the fault. True if the time of the fault is not known to the
/// second.
fn is_during_fault(truth: &GroundTruth, sweep: &SweepReport) -> bool {
    truth.fault_interval.is_none_or(|(begin, end)| begin <= sweep.time && sweep.time <= end)
}

/// The first sweep during the fault in which an alarm begins. An alarm that was already on before
/// does not count, unless another incident opens.
pub fn first_alarm<'a>(truth: &GroundTruth, sweeps: &'a [SweepReport]) -> Option<&'a SweepReport> {
    let was_on = |index: usize| index.checked_sub(1).is_some_and(|before| sweeps[before].alarm);
    let begins = |(index, sweep): &(usize, &SweepReport)| {
        sweep.alarm && is_during_fault(truth, sweep) && (!was_on(*index) || !sweep.opened.is_empty())
    };
    sweeps.iter().enumerate().find(begins).map(|(_, sweep)| sweep)
}

fn seconds_since_fault(truth: &GroundTruth, time: Timestamp) -> Option<f64> {
    truth.fault_interval.map(|(begin, _)| time.millis_since(begin) as f64 / 1000.0)
}

fn suspects_above(truth: &GroundTruth, ranking: &Ranking) -> Vec<String> {
    let has_root_cause = |group: &Vec<Suspect>| group.iter().any(|suspect| truth.is_root_cause(suspect));
    let above = ranking.iter().take_while(|group| !has_root_cause(group)).flatten();
    above.take(MAX_SHOWN_ABOVE).map(display_name).collect()
}

/// Short name of a suspect: `NAME[PID]`, a path, an endpoint, or its name.
pub fn display_name(suspect: &Suspect) -> String {
    match (suspect.pid, &suspect.path, &suspect.endpoint) {
        (Some(pid), ..) => format!("{}[{pid}]", suspect.name),
        (None, Some(path), _) => path.clone(),
        (None, None, Some(endpoint)) => endpoint.clone(),
        (None, None, None) => suspect.name.clone(),
    }
}

fn blamed_suspects(run: &RankerRun) -> Vec<String> {
    let opened = run.sweeps.iter().flatten().flat_map(|sweep| &sweep.opened);
    opened.map(|incident| incident.initiating.as_ref().map_or("none".to_owned(), display_name)).collect()
}

/// Counts over the whole recording: before and after a benign change there is no fault either.
fn count_false_alarms(run: &RankerRun) -> FalseAlarmCount {
    let mut count = FalseAlarmCount::default();
    run.sweeps.iter().flatten().for_each(|sweep| count.push(sweep, run.days_per_sweep));
    count
}
