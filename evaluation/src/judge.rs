//! Answers held against what is true.

use schemas::{Suspect, Timestamp};

use super::{
    cases::{Case, Truth},
    exam::{Answer, Answers},
    lesson::Quiet,
    places::Places,
    rankers::{Ranking, Sweep},
};

/// The figures count so many places.
pub const MOST_PLACES: usize = 5;
/// Of those above the right answer so many are told.
const TOLD_ABOVE: usize = 3;

/// What one ranker's answer to one case is worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// AC@1 to AC@5.
    pub accuracy: [f64; MOST_PLACES],
    /// The reciprocal of the first right answer's place.
    pub reciprocal: f64,
    /// The place of the first right answer.
    pub rank: f64,
    /// Whether a right answer is among the first five and before every one who only suffers; none if those are not known.
    pub strict: Option<f64>,
    /// Whether it alarmed while the fault lasted; none of one who does not look.
    pub alarmed: Option<bool>,
    /// From the fault to the alarm, in seconds, where it alarmed and the fault's time is known.
    pub alarmed_after_s: Option<f64>,
    /// Whether the first incident opened then names a right answer.
    pub named: Option<bool>,
    /// Who stands above the first right answer, the most suspect first.
    pub above: Vec<String>,
}

/// What is told of one case.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Which.
    pub case: Case,
    /// The marks of each ranker without the symptom, if something was wrong.
    pub marks: Option<Vec<Mark>>,
    /// The same, where the symptom is told; those without where there is none.
    pub hinted: Option<Vec<Mark>>,
    /// Of time in which nothing was wrong, what each ranker told in it.
    pub quiet: Option<Vec<Quiet>>,
    /// Whom each ranker's incidents named in it.
    pub accused: Option<Vec<Vec<String>>>,
}

/// Judges the answers to a case.
pub fn judge(case: &Case, answers: &Answers) -> Judged {
    let marks = |ranking: &dyn Fn(&Answer) -> Ranking| {
        let marks = answers.of.iter().map(|answer| mark(&case.truth, answer, &ranking(answer), &answers.members));
        (!case.truth.is_harmless).then(|| marks.collect::<Vec<Mark>>())
    };
    let looking = || answers.of.iter().filter(|answer| answer.sweeps.is_some());
    Judged {
        case: case.clone(),
        marks: marks(&|answer| answer.ranking.clone()),
        hinted: marks(&|answer| answer.hinted.clone().unwrap_or_else(|| answer.ranking.clone())),
        quiet: case.truth.is_harmless.then(|| looking().map(quiet).collect()),
        accused: case.truth.is_harmless.then(|| looking().map(accused).collect()),
    }
}

fn mark(truth: &Truth, answer: &Answer, ranking: &Ranking, members: &[Suspect]) -> Mark {
    let places = Places::of(ranking, members, &truth.causes, truth.victims.as_deref().unwrap_or_default());
    let first_alarm = answer.sweeps.as_deref().map(|sweeps| first_alarm(truth, sweeps));
    let lasting = |sweep: &&Sweep| is_within(truth, sweep);
    let mut opened = answer.sweeps.as_ref().map(|sweeps| sweeps.iter().filter(lasting).flat_map(|sweep| &sweep.opened));
    let names_it = |suspect: &Suspect| truth.is_cause(suspect);
    Mark {
        accuracy: std::array::from_fn(|at| places.accuracy(at + 1)),
        reciprocal: places.reciprocal(),
        rank: places.rank(),
        strict: truth.victims.as_ref().map(|_| places.before_victims(MOST_PLACES)),
        alarmed: first_alarm.as_ref().map(Option::is_some),
        alarmed_after_s: first_alarm.flatten().and_then(|sweep| seconds_after(truth, sweep.time)),
        named: opened.as_mut().map(|opened| opened.next().and_then(|it| it.initiating.as_ref()).is_some_and(names_it)),
        above: above(truth, ranking),
    }
}

/// Whether a sweep ended while the fault lasted; each did, where that is not known to the second.
fn is_within(truth: &Truth, sweep: &Sweep) -> bool {
    truth.lasted.is_none_or(|(from, until)| from <= sweep.time && sweep.time <= until)
}

/// The sweep in which an alarm began while the fault lasted. One that was on before it tells nothing of it, unless another incident was
/// opened then.
pub fn first_alarm<'a>(truth: &Truth, sweeps: &'a [Sweep]) -> Option<&'a Sweep> {
    let was_on = |at: usize| at.checked_sub(1).is_some_and(|before| sweeps[before].alarm);
    let begins = |(at, sweep): &(usize, &Sweep)| {
        sweep.alarm && is_within(truth, sweep) && (!was_on(*at) || !sweep.opened.is_empty())
    };
    sweeps.iter().enumerate().find(begins).map(|(_, sweep)| sweep)
}

fn seconds_after(truth: &Truth, time: Timestamp) -> Option<f64> {
    truth.lasted.map(|(from, _)| time.millis_since(from) as f64 / 1000.0)
}

fn above(truth: &Truth, ranking: &Ranking) -> Vec<String> {
    let before = ranking.iter().take_while(|group| !group.iter().any(|suspect| truth.is_cause(suspect))).flatten();
    before.take(TOLD_ABOVE).map(name).collect()
}

/// What a suspect is called in a line.
pub fn name(suspect: &Suspect) -> String {
    match (suspect.pid, &suspect.path, &suspect.endpoint) {
        (Some(pid), ..) => format!("{}[{pid}]", suspect.name),
        (None, Some(path), _) => path.clone(),
        (None, None, Some(endpoint)) => endpoint.clone(),
        (None, None, None) => suspect.name.clone(),
    }
}

fn accused(answer: &Answer) -> Vec<String> {
    let opened = answer.sweeps.iter().flatten().flat_map(|sweep| &sweep.opened);
    opened.map(|incident| incident.initiating.as_ref().map_or("nobody".to_owned(), name)).collect()
}

/// What was told in the whole recording of a harmless change, or of a stretch without any: what is before and after is not wrong
/// either.
fn quiet(answer: &Answer) -> Quiet {
    let mut quiet = Quiet::default();
    answer.sweeps.iter().flatten().for_each(|sweep| quiet.take(sweep, answer.days_per_sweep));
    quiet
}
