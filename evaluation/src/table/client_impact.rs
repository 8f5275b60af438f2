//! The impact of each case on clients, as text.

use std::fmt::Write;

use crate::{client_impact::RequestSummary, judge::JudgedCase};

/// Appends a line for each case with measurements of clients.
pub fn push(text: &mut String, judged: &[JudgedCase]) {
    let impacts =
        || judged.iter().filter_map(|judged| Some((judged.case.name.as_str(), judged.case.truth.client_impact?)));
    let Some(width) = impacts().map(|(name, _)| name.chars().count()).max() else { return };
    let title = "client impact";
    let width = width.max(title.len());
    let _ = writeln!(text, "\n{title:width$}  median and 95th percentile in ms, errors of requests: before, during");
    for (name, impact) in impacts() {
        let _ = writeln!(text, "{name:width$}  {}, {}", format_summary(&impact.before), format_summary(&impact.during));
    }
}

fn format_summary(summary: &RequestSummary) -> String {
    let [p50, p95] = [summary.p50_ms, summary.p95_ms].map(|ms| ms.map_or("-".to_owned(), |ms| format!("{ms:.0}")));
    format!("{p50:>6} {p95:>6} {:>4} of {:>4}", summary.errors, summary.requests)
}
