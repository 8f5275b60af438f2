//! What was found out about the rankers, for people.

mod felt;

use std::{collections::BTreeMap, fmt::Write};

use super::{
    figures::Figures,
    judge::{Judged, Mark},
    report::{OfRanker, Results, names},
};

const FIRST: usize = 34;
const COLUMN: usize = 21;
/// A right answer that is expected at a later place was missed, for people.
const FIRST_PLACE: f64 = 1.0;

/// The figures of all rankers side by side, each with its 95 % interval; by fault, family and system; and what was missed. Where
/// cases tell a symptom, all of it without and with it, and the misses of what was asked for. Last what clients felt, and what was not
/// played.
pub fn render(results: &Results, is_hinted: bool) -> String {
    let mut text = String::new();
    if results.has_symptoms() {
        text.push_str("Not told the symptom\n\n");
        push_figures(&mut text, results, false);
        text.push_str("Told which node shows the symptom\n\n");
    }
    push_figures(&mut text, results, results.has_symptoms());
    push_misses(&mut text, results, is_hinted && results.has_symptoms());
    push_false_alarms(&mut text, results);
    felt::push(&mut text, &results.judged);
    for left_out in &results.left_out {
        let _ = writeln!(text, "not played: {}: {}", left_out.fault, left_out.reason);
    }
    text
}

/// A row of the table: what it is called, the key of its interval, and the figure.
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

fn push_figures(text: &mut String, results: &Results, is_hinted: bool) {
    let rankers: Vec<(&str, OfRanker)> = names().map(|(at, name)| (name, results.of_ranker(at, is_hinted))).collect();
    let count = rankers.first().map_or(0, |(_, ranker)| ranker.all.n);
    push_row(text, &cases(count), rankers.iter().map(|(name, _)| (*name).to_owned()));
    for (label, key, figure) in ROWS {
        let cells: Vec<String> = rankers.iter().map(|(_, ranker)| cell(&ranker.all, key, figure)).collect();
        if cells.iter().any(|cell| cell != ABSENT) {
            push_row(text, label, cells.into_iter());
        }
    }
    let days = rankers.first().and_then(|(_, ranker)| ranker.all.healthy_host_days);
    if let Some(days) = days {
        let counts = rankers.iter().map(|(_, ranker)| ranker.all.false_alarms.map_or(ABSENT.into(), |n| n.to_string()));
        push_row(text, &format!("false alarms in {}", time(days)), counts);
        let episodes = rankers.iter().map(|(_, ranker)| ranker.all.false_alarm_episodes);
        push_row(text, "  while no other was open", episodes.map(|n| n.map_or(ABSENT.into(), |n| n.to_string())));
    }
    text.push('\n');
    push_groups(text, "by fault", &rankers, |ranker| &ranker.per_fault);
    push_groups(text, "by family", &rankers, |ranker| &ranker.per_family);
    push_groups(text, "by system", &rankers, |ranker| &ranker.by_system);
}

const ABSENT: &str = "-";

/// So many cases, in words.
pub fn cases(count: usize) -> String {
    if count == 1 { "1 case".to_owned() } else { format!("{count} cases") }
}

fn time(host_days: f64) -> String {
    match host_days * 24.0 {
        hours if hours < 1.0 => format!("{:.0} host-minutes", hours * 60.0),
        hours if hours < 24.0 => format!("{hours:.1} host-hours"),
        _ => format!("{host_days:.2} host-days"),
    }
}

fn number(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.2}"),
        medium if medium < 100.0 => format!("{medium:.1}"),
        large => format!("{large:.0}"),
    }
}

fn cell(figures: &Figures, key: &str, figure: fn(&Figures) -> Option<f64>) -> String {
    let Some(value) = figure(figures) else { return ABSENT.to_owned() };
    match figures.intervals.get(key) {
        Some([low, high]) => format!("{} ({}-{})", number(value), number(*low), number(*high)),
        None => number(value),
    }
}

fn push_row(text: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    let mut row = format!("{first:FIRST$}");
    for cell in cells {
        let _ = write!(row, "{cell:COLUMN$}");
    }
    let _ = writeln!(text, "{}", row.trim_end());
}

/// AC@1 and AC@5 of each group, and where they are known strict@5 and the median of seconds to the alarm; of harmless ones how many false
/// alarms there were.
fn push_groups(
    text: &mut String,
    title: &str,
    rankers: &[(&str, OfRanker)],
    groups: fn(&OfRanker) -> &BTreeMap<String, Figures>,
) {
    let Some(first) = rankers.first().map(|(_, ranker)| groups(ranker)) else { return };
    if first.is_empty() {
        return;
    }
    push_row(text, &format!("{title}: {SHORT}"), rankers.iter().map(|(name, _)| (*name).to_owned()));
    for (name, of_first) in first {
        let cells = rankers.iter().map(|(_, ranker)| groups(ranker).get(name).map_or(ABSENT.to_owned(), short));
        push_row(text, &format!("  {name} ({})", of_first.n), cells);
    }
    text.push('\n');
}

/// What [`short`] tells.
const SHORT: &str = "AC@1 AC@5 strict s";

fn short(figures: &Figures) -> String {
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

/// What the detective, the first of the rankers, did not put first.
fn push_misses(text: &mut String, results: &Results, is_hinted: bool) {
    let missed = |mark: &Mark| mark.rank > FIRST_PLACE;
    let misses: Vec<_> = results.cases(0, is_hinted).filter(|(_, mark)| missed(mark)).collect();
    if misses.is_empty() {
        return;
    }
    let width = misses.iter().map(|(judged, _)| judged.case.name.chars().count()).max().unwrap_or(0);
    let _ = writeln!(text, "{:width$}  place  alarm  above it", "not first");
    for (judged, mark) in misses {
        let _ = writeln!(text, "{}", miss(judged, mark, width));
    }
}

/// Whom the detective, the first of the rankers, blamed where nothing was wrong.
fn push_false_alarms(text: &mut String, results: &Results) {
    let width = results.accused(0).map(|(judged, _)| judged.case.name.chars().count()).max().unwrap_or(0);
    for (at, (judged, named)) in results.accused(0).enumerate() {
        if at == 0 {
            text.push_str("blamed where nothing was wrong\n");
        }
        let _ = writeln!(text, "{:width$}  {}", judged.case.name, named.join(", "));
    }
}

fn miss(judged: &Judged, mark: &Mark, width: usize) -> String {
    let alarm = if mark.alarmed == Some(true) { "yes" } else { "no" };
    let line = format!("{:width$}  {:>5.1}  {alarm:5}  {}", judged.case.name, mark.rank, mark.above.join(", "));
    line.trim_end().to_owned()
}
