//! The results of an evaluation as text.

mod client_impact;

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    figures::Figures,
    judge::{JudgedCase, Outcome},
    results::{RankerReport, Results, ranker_names},
};

/// Width of the first column.
const LABEL_WIDTH: usize = 34;
/// Width of the column of each ranker.
const RANKER_WIDTH: usize = 21;
/// Shown for a figure that the cases cannot give.
const ABSENT: &str = "-";

/// Renders the figures of all rankers side by side, each with its 95 % interval: over all cases, by
/// fault, by family and by system. Then the cases that the detective did not rank first, its false
/// alarms, the impact on clients, and skipped scenarios.
///
/// If cases have a symptom, the figures come without and given the symptom; `with_hint` chooses for
/// which of the two the misses are listed.
pub fn render(results: &Results, with_hint: bool) -> String {
    let mut text = String::new();
    if results.has_symptoms() {
        text.push_str("Without the symptom\n\n");
        push_figures(&mut text, results, false);
        text.push_str("Given the node that shows the symptom\n\n");
    }
    push_figures(&mut text, results, results.has_symptoms());
    push_misses(&mut text, results, with_hint && results.has_symptoms());
    push_false_alarms(&mut text, results);
    client_impact::push(&mut text, &results.judged);
    for skipped in &results.skipped {
        let _ = writeln!(text, "skipped: {}: {}", skipped.fault, skipped.reason);
    }
    text
}

/// A row of the table: its label, the key of its interval, and the figure.
type Row = (&'static str, &'static str, fn(&Figures) -> Option<f64>);

const ROWS: [Row; 11] = [
    ("AC@1", "AC@1", |figures| figures.ac_1),
    ("AC@3", "AC@3", |figures| figures.ac_3),
    ("AC@5", "AC@5", |figures| figures.ac_5),
    ("Avg@5", "Avg@5", |figures| figures.avg_5),
    ("MRR", "MRR", |figures| figures.mrr),
    ("strict@5", "strict@5", |figures| figures.strict_5),
    ("alarm recall", "alarm_recall", |figures| figures.alarm_recall),
    ("first incident names it", "first_incident_names_it", |figures| figures.first_incident_names_it),
    ("s to alarm, median", "time_to_alarm_s.median", |figures| Some(figures.time_to_alarm_s?.median)),
    ("s to alarm, 95th percentile", "time_to_alarm_s.p95", |figures| Some(figures.time_to_alarm_s?.p95)),
    ("false alarms per host-day", "false_alarms_per_host_day", |figures| figures.false_alarms_per_host_day),
];

fn push_figures(text: &mut String, results: &Results, with_hint: bool) {
    let rankers: Vec<(&str, RankerReport)> =
        ranker_names().map(|(index, name)| (name, results.ranker_report(index, with_hint))).collect();
    let count = rankers.first().map_or(0, |(_, ranker)| ranker.all.n);
    push_row(text, &case_count(count), rankers.iter().map(|(name, _)| (*name).to_owned()));
    for (label, key, figure) in ROWS {
        let cells: Vec<String> = rankers.iter().map(|(_, ranker)| cell(&ranker.all, key, figure)).collect();
        if cells.iter().any(|cell| cell != ABSENT) {
            push_row(text, label, cells.into_iter());
        }
    }
    let days = rankers.first().and_then(|(_, ranker)| ranker.all.healthy_host_days);
    if let Some(days) = days {
        let counts = rankers.iter().map(|(_, ranker)| ranker.all.false_alarms.map_or(ABSENT.into(), |n| n.to_string()));
        push_row(text, &format!("false alarms in {}", format_host_time(days)), counts);
        let episodes = rankers.iter().map(|(_, ranker)| ranker.all.false_alarm_episodes);
        push_row(text, "  while no other was open", episodes.map(|n| n.map_or(ABSENT.into(), |n| n.to_string())));
    }
    text.push('\n');
    push_groups(text, "by fault", &rankers, |ranker| &ranker.per_fault);
    push_groups(text, "by family", &rankers, |ranker| &ranker.per_family);
    push_groups(text, "by system", &rankers, |ranker| &ranker.by_system);
}

/// Formats a number of cases.
pub fn case_count(count: usize) -> String {
    if count == 1 { "1 case".to_owned() } else { format!("{count} cases") }
}

fn format_host_time(host_days: f64) -> String {
    match host_days * 24.0 {
        hours if hours < 1.0 => format!("{:.0} host-minutes", hours * 60.0),
        hours if hours < 24.0 => format!("{hours:.1} host-hours"),
        _ => format!("{host_days:.2} host-days"),
    }
}

fn format_number(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.2}"),
        medium if medium < 100.0 => format!("{medium:.1}"),
        large => format!("{large:.0}"),
    }
}

fn cell(figures: &Figures, key: &str, figure: fn(&Figures) -> Option<f64>) -> String {
    let Some(value) = figure(figures) else { return ABSENT.to_owned() };
    match figures.intervals.get(key) {
        Some([low, high]) => format!("{} ({}-{})", format_number(value), format_number(*low), format_number(*high)),
        None => format_number(value),
    }
}

fn push_row(text: &mut String, label: &str, cells: impl Iterator<Item = String>) {
    let mut row = format!("{label:LABEL_WIDTH$}");
    for cell in cells {
        let _ = write!(row, "{cell:RANKER_WIDTH$}");
    }
    let _ = writeln!(text, "{}", row.trim_end());
}

/// A row for each group: AC@1 and AC@5, then strict@5 and the median seconds to the alarm if they
/// are known. Groups of benign cases show their number of false alarms.
fn push_groups(
    text: &mut String,
    title: &str,
    rankers: &[(&str, RankerReport)],
    groups: fn(&RankerReport) -> &BTreeMap<String, Figures>,
) {
    let Some(first) = rankers.first().map(|(_, ranker)| groups(ranker)) else { return };
    if first.is_empty() {
        return;
    }
    push_row(text, &format!("{title}: {SHORT_FIGURES}"), rankers.iter().map(|(name, _)| (*name).to_owned()));
    for (name, figures) in first {
        let cells = rankers.iter().map(|(_, ranker)| groups(ranker).get(name).map_or(ABSENT.to_owned(), format_short));
        push_row(text, &format!("  {name} ({})", figures.n), cells);
    }
    text.push('\n');
}

/// The figures of [`format_short`].
const SHORT_FIGURES: &str = "AC@1 AC@5 strict s";

fn format_short(figures: &Figures) -> String {
    let Some(ac_1) = figures.ac_1 else {
        return match figures.false_alarms {
            Some(1) => "1 false alarm".to_owned(),
            Some(count) => format!("{count} false alarms"),
            None => ABSENT.to_owned(),
        };
    };
    let seconds = figures.time_to_alarm_s.map(|time| time.median);
    let known = [Some(ac_1), figures.ac_5, figures.strict_5].into_iter().flatten().map(|figure| format!("{figure:.2}"));
    known.chain(seconds.map(|seconds| format!("{seconds:.1}"))).collect::<Vec<_>>().join(" ")
}

/// The cases whose root cause the detective, the first of the rankers, did not rank first.
fn push_misses(text: &mut String, results: &Results, with_hint: bool) {
    let misses: Vec<_> = results.outcomes(0, with_hint).filter(|(_, outcome)| outcome.rank > 1.0).collect();
    if misses.is_empty() {
        return;
    }
    let title = "not ranked first";
    let width = misses.iter().map(|(judged, _)| judged.case.name.chars().count()).max().unwrap_or(0).max(title.len());
    let _ = writeln!(text, "{:width$}  {:>5}  alarm  ranked above it", title, "rank");
    for (judged, outcome) in misses {
        let _ = writeln!(text, "{}", format_miss(judged, outcome, width));
    }
}

/// The root causes that false alarms of the detective, the first of the rankers, name.
fn push_false_alarms(text: &mut String, results: &Results) {
    let width = results.falsely_blamed(0).map(|(judged, _)| judged.case.name.chars().count()).max().unwrap_or(0);
    for (index, (judged, named)) in results.falsely_blamed(0).enumerate() {
        if index == 0 {
            text.push_str("blamed without a fault\n");
        }
        let _ = writeln!(text, "{:width$}  {}", judged.case.name, named.join(", "));
    }
}

fn format_miss(judged: &JudgedCase, outcome: &Outcome, width: usize) -> String {
    let alarm = if outcome.alarmed == Some(true) { "yes" } else { "no" };
    let line =
        format!("{:width$}  {:>5.1}  {alarm:5}  {}", judged.case.name, outcome.rank, outcome.ranked_above.join(", "));
    line.trim_end().to_owned()
}
