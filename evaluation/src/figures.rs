//! The figures of a ranker over many cases.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    bootstrap::{clusters, confidence_interval, quantile},
    false_alarms::FalseAlarmCount,
    judge::{MAX_K, Outcome},
};

/// The figures of a ranker. `None`: the cases cannot give the figure.
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
    /// The 95 % interval of each figure that has one, by the key of the figure.
    pub intervals: BTreeMap<&'static str, [f64; 2]>,
}

/// Seconds from a fault to its alarm, over the faults that have one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TimeToAlarm {
    pub median: f64,
    pub p95: f64,
}

/// Upper end of the 95 % interval of a Poisson count of zero, -ln 0.025 (Garwood, Biometrika 1936).
/// Resampling would give an interval of width zero.
const UPPER_BOUND_OF_ZERO: f64 = 3.689;

/// A figure of one case.
type FigureOfCase = fn(&Outcome) -> Option<f64>;

/// Figures that are means over cases.
const MEANS: [(&str, FigureOfCase); 8] = [
    ("AC@1", |outcome| Some(outcome.accuracy[0])),
    ("AC@3", |outcome| Some(outcome.accuracy[2])),
    ("AC@5", |outcome| Some(outcome.accuracy[4])),
    ("Avg@5", |outcome| Some(outcome.accuracy.iter().sum::<f64>() / MAX_K as f64)),
    ("MRR", |outcome| Some(outcome.reciprocal_rank)),
    ("strict@5", |outcome| outcome.strict),
    ("alarm_recall", |outcome| outcome.alarmed.map(to_number)),
    ("first_incident_names_it", |outcome| outcome.first_incident_names_it.map(to_number)),
];

impl Figures {
    /// Computes the figures and their intervals. Cases and spans of healthy time come with a key:
    /// those with the same key repeat each other.
    pub fn compute(outcomes: &[(String, &Outcome)], healthy: &[(String, FalseAlarmCount)]) -> Figures {
        let mut intervals = BTreeMap::new();
        let mut with_interval = |name, clusters: &[Vec<usize>], figure: &dyn Fn(&[usize]) -> Option<f64>| {
            intervals.extend(confidence_interval(clusters, figure).map(|interval| (name, interval)));
            figure(&clusters.concat())
        };
        let cases = clusters(outcomes.iter().map(|(key, _)| key));
        let spans = clusters(healthy.iter().map(|(key, _)| key));
        let [ac_1, ac_3, ac_5, avg_5, mrr, strict_5, alarm_recall, first_incident_names_it] =
            MEANS.map(|(name, figure)| {
                with_interval(name, &cases, &|drawn| mean(drawn.iter().filter_map(|&index| figure(outcomes[index].1))))
            });
        let mut delay = |name, q| with_interval(name, &cases, &|drawn| alarm_delay(outcomes, drawn, q));
        let median = delay("time_to_alarm_s.median", 0.5);
        let p95 = delay("time_to_alarm_s.p95", 0.95);
        let rate = with_interval("false_alarms_per_host_day", &spans, &|drawn| per_host_day(healthy, drawn));
        // Without healthy time there is no rate, and no count either.
        let total = |count: fn(&FalseAlarmCount) -> usize| rate.map(|_| healthy.iter().map(|(_, it)| count(it)).sum());
        let false_alarms = total(|count| count.incidents);
        let false_alarm_episodes = total(|count| count.episodes);
        let healthy_host_days = rate.map(|_| healthy.iter().map(|(_, count)| count.host_days).sum::<f64>());
        if let (Some(0), Some(days)) = (false_alarms, healthy_host_days) {
            intervals.insert("false_alarms_per_host_day", [0.0, UPPER_BOUND_OF_ZERO / days]);
        }
        Figures {
            n: outcomes.len(),
            ac_1,
            ac_3,
            ac_5,
            avg_5,
            mrr,
            strict_5,
            alarm_recall,
            false_alarms_per_host_day: rate,
            first_incident_names_it,
            time_to_alarm_s: median.zip(p95).map(|(median, p95)| TimeToAlarm { median, p95 }),
            false_alarms,
            false_alarm_episodes,
            healthy_host_days,
            intervals,
        }
    }
}

fn to_number(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

fn alarm_delay(outcomes: &[(String, &Outcome)], drawn: &[usize], q: f64) -> Option<f64> {
    let mut delays: Vec<f64> = drawn.iter().filter_map(|&index| outcomes[index].1.alarm_delay_s).collect();
    quantile(&mut delays, q)
}

/// All incidents over all healthy time.
fn per_host_day(healthy: &[(String, FalseAlarmCount)], drawn: &[usize]) -> Option<f64> {
    let days: f64 = drawn.iter().map(|&index| healthy[index].1.host_days).sum();
    let incidents: usize = drawn.iter().map(|&index| healthy[index].1.incidents).sum();
    (days > 0.0).then(|| incidents as f64 / days)
}
