//! What the workload's clients felt of each change, for people: whether a fault hurt at all.

use std::fmt::Write;

use crate::{judge::Judged, live::hurt::Felt};

/// A line for each case of which clients told something.
pub fn push(text: &mut String, judged: &[Judged]) {
    let felt = || judged.iter().filter_map(|judged| Some((judged.case.name.as_str(), judged.case.truth.hurt?)));
    let Some(width) = felt().map(|(name, _)| name.chars().count()).max() else { return };
    let title = "what clients felt";
    let width = width.max(title.len());
    let _ = writeln!(text, "\n{title:width$}  median and 95th percentile in ms, errors of requests: before, during");
    for (name, hurt) in felt() {
        let _ = writeln!(text, "{name:width$}  {}, {}", cell(&hurt.before), cell(&hurt.during));
    }
}

fn cell(felt: &Felt) -> String {
    let [p50, p95] = [felt.p50_ms, felt.p95_ms].map(|ms| ms.map_or("-".to_owned(), |ms| format!("{ms:.0}")));
    format!("{p50:>6} {p95:>6} {:>4} of {:>4}", felt.errors, felt.requests)
}
