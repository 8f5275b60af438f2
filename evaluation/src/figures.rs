//! From marks to figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    intervals::{interval, quantile, repeats},
    judge::{MOST_PLACES, Mark},
    lesson::Quiet,
};

/// What a ranker is worth over some cases. What they cannot give is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "`docs/quality.md` defines them")]
pub struct Figures {
    pub n: usize,
    #[serde(rename = "AC@1")]
    pub ac_1: Option<f64>,
    #[serde(rename = "AC@3")]
    pub ac_3: Option<f64>,
    #[serde(rename = "AC@5")]
    pub ac_5: Option<f64>,
    #[serde(rename = "Avg@5")]
    pub avg_5: Option<f64>,
    #[serde(rename = "MRR")]
    pub mrr: Option<f64>,
    #[serde(rename = "strict@5")]
    pub strict_5: Option<f64>,
    pub alarm_recall: Option<f64>,
    pub false_alarms_per_host_day: Option<f64>,
    pub first_incident_names_it: Option<f64>,
    pub time_to_alarm_s: Option<TimeToAlarm>,
    pub false_alarms: Option<usize>,
    pub false_alarm_episodes: Option<usize>,
    pub healthy_host_days: Option<f64>,
    /// The 95 % interval of each figure that has one.
    pub intervals: BTreeMap<&'static str, [f64; 2]>,
}

/// From a fault to its alarm, of the faults that had one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "seconds")]
pub struct TimeToAlarm {
    pub median: f64,
    pub p95: f64,
}

/// None were counted: the upper end of the 95 % interval of a Poisson rate, in counts (Garwood, Biometrika 1936), -ln .025. What is drawn
/// anew of nothing is nothing.
const MOST_OF_NONE: f64 = 3.689;

/// A figure of one case.
type Of = fn(&Mark) -> Option<f64>;

/// Means over cases.
const MEANS: [(&str, Of); 8] = [
    ("AC@1", |mark| Some(mark.accuracy[0])),
    ("AC@3", |mark| Some(mark.accuracy[2])),
    ("AC@5", |mark| Some(mark.accuracy[4])),
    ("Avg@5", |mark| Some(mark.accuracy.iter().sum::<f64>() / MOST_PLACES as f64)),
    ("MRR", |mark| Some(mark.reciprocal)),
    ("strict@5", |mark| mark.strict),
    ("alarm_recall", |mark| mark.alarmed.map(as_number)),
    ("first_incident_names_it", |mark| mark.named.map(as_number)),
];

impl Figures {
    /// The figures over these cases and healthy stretches, each with its interval. Beside each is what it repeats.
    pub fn of(marks: &[(String, &Mark)], quiet: &[(String, Quiet)]) -> Figures {
        let mut intervals = BTreeMap::new();
        let mut with_interval = |name, repeats: &[Vec<usize>], figure: &dyn Fn(&[usize]) -> Option<f64>| {
            intervals.extend(interval(repeats, figure).map(|interval| (name, interval)));
            figure(&repeats.concat())
        };
        let (of_marks, of_quiet) =
            (repeats(marks.iter().map(|(key, _)| key)), repeats(quiet.iter().map(|(key, _)| key)));
        let [ac_1, ac_3, ac_5, avg_5, mrr, strict_5, alarm_recall, names_it] = MEANS.map(|(name, of)| {
            with_interval(name, &of_marks, &|drawn| mean(drawn.iter().filter_map(|&at| of(marks[at].1))))
        });
        let mut time = |name, q| with_interval(name, &of_marks, &|drawn| time_to_alarm(marks, drawn, q));
        let (median, p95) = (time("time_to_alarm_s.median", 0.5), time("time_to_alarm_s.p95", 0.95));
        let per_day = with_interval("false_alarms_per_host_day", &of_quiet, &|drawn| per_host_day(quiet, drawn));
        let counted =
            |count: fn(&Quiet) -> usize| per_day.map(|_| quiet.iter().map(|(_, quiet)| count(quiet)).sum::<usize>());
        let days = per_day.map(|_| quiet.iter().map(|(_, quiet)| quiet.days).sum::<f64>());
        if let (Some(0), Some(days)) = (counted(|quiet| quiet.incidents), days) {
            intervals.insert("false_alarms_per_host_day", [0.0, MOST_OF_NONE / days]);
        }
        Figures {
            n: marks.len(),
            ac_1,
            ac_3,
            ac_5,
            avg_5,
            mrr,
            strict_5,
            alarm_recall,
            false_alarms_per_host_day: per_day,
            first_incident_names_it: names_it,
            time_to_alarm_s: median.zip(p95).map(|(median, p95)| TimeToAlarm { median, p95 }),
            false_alarms: counted(|quiet| quiet.incidents),
            false_alarm_episodes: counted(|quiet| quiet.episodes),
            healthy_host_days: days,
            intervals,
        }
    }
}

fn as_number(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

fn time_to_alarm(marks: &[(String, &Mark)], drawn: &[usize], q: f64) -> Option<f64> {
    let mut times: Vec<f64> = drawn.iter().filter_map(|&at| marks[at].1.alarmed_after_s).collect();
    quantile(&mut times, q)
}

/// Pooled: all incidents over all of the time.
fn per_host_day(quiet: &[(String, Quiet)], drawn: &[usize]) -> Option<f64> {
    let days: f64 = drawn.iter().map(|&at| quiet[at].1.days).sum();
    let incidents: usize = drawn.iter().map(|&at| quiet[at].1.incidents).sum();
    (days > 0.0).then(|| incidents as f64 / days)
}
