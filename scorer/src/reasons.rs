//! Reasons and summaries in words.

pub mod collective;

use graph::Deviation;
use schemas::{Evidence, Reason, Unit, text::clean};
use signals::Signal;

use crate::{
    blame::{DOES_NOT_READ, HOLDS_LOCK, RootCauseCandidate},
    score::{ScoredColumn, ScoredGraph},
};

/// Describes a deviation: the observed and the normal value of a signal.
pub fn deviation_reason(scored: &ScoredGraph, deviation: &Deviation) -> Option<Reason> {
    let ScoredColumn { name, unit, .. } = scored.columns.get(deviation.column)?;
    let (label, source) = match Signal::from_name(name).map(Signal::definition) {
        Some(definition) => (definition.label, definition.source.path),
        None => (name.as_str(), ""),
    };
    let expected = f64::from(deviation.expected);
    let observed = f64::from(deviation.observed);
    let text = match unit {
        Unit::Flag => label.to_owned(),
        _ => format!("{label}: {}, normally {}", format_quantity(observed, unit), format_quantity(expected, unit)),
    };
    Some(Reason {
        text,
        expected: Some(expected),
        observed: Some(observed),
        unit: unit.to_string(),
        source: source.to_owned(),
    })
}

/// Describes the lock that the root holds and the processes that wait for it.
pub fn lock_reason(scored: &ScoredGraph, candidate: &RootCauseCandidate) -> Option<Reason> {
    let path = scored.graph.nodes()[candidate.locked_file?].path.as_deref().unwrap_or("a file");
    let (longest_ms, longest) = longest_wait(scored, candidate);
    let waiting = processes_wait(candidate.affected.len());
    Some(Reason {
        text: format!("holds the lock on {path}; {waiting} for it, the longest for {longest}"),
        expected: Some(0.0),
        observed: Some(longest_ms),
        unit: Unit::Milliseconds.to_string(),
        source: "/proc/locks".to_owned(),
    })
}

/// Describes a root that does not read, and the processes that wait to write to it.
pub fn reader_reason(scored: &ScoredGraph, candidate: &RootCauseCandidate) -> Reason {
    let (longest_ms, longest) = longest_wait(scored, candidate);
    let waiting = processes_wait(candidate.affected.len());
    Reason {
        text: format!("does not read its input; {waiting} to write to it, the longest for {longest}"),
        expected: Some(0.0),
        observed: Some(longest_ms),
        unit: Unit::Milliseconds.to_string(),
        source: "/proc/PID/syscall".to_owned(),
    }
}

/// Quotes a raw line of the kernel.
pub fn evidence_reason(evidence: &Evidence) -> Reason {
    Reason {
        text: evidence.text.clone(),
        expected: None,
        observed: None,
        unit: String::new(),
        source: format!("{}: {}", evidence.source, evidence.text),
    }
}

/// The longest wait of the affected nodes: in milliseconds, and in words.
fn longest_wait(scored: &ScoredGraph, candidate: &RootCauseCandidate) -> (f64, String) {
    let for_root = scored.graph.dependants(candidate.root);
    let by_affected = candidate.affected.iter().flat_map(|&node| scored.graph.dependencies(node));
    let waits = for_root.chain(by_affected).filter_map(|(edge, _)| edge.blocked_ms);
    let longest_ms = f64::from(waits.fold(0.0, f32::max));
    (longest_ms, format_quantity(longest_ms, &Unit::Milliseconds))
}

/// Formats a value with its unit.
pub fn format_quantity(value: f64, unit: &Unit) -> String {
    match unit {
        Unit::Percent | Unit::PercentGood => format!("{value:.0} %"),
        Unit::Milliseconds if value.abs() >= 1000.0 => format!("{:.1} s", value / 1000.0),
        Unit::Milliseconds => format!("{value:.0} ms"),
        Unit::Bytes => format_bytes(value),
        Unit::BytesPerSecond => format!("{}/s", format_bytes(value)),
        Unit::Count | Unit::Flag => format!("{value:.0}"),
        Unit::PerSecond => format!("{value:.1}/s"),
        Unit::Other(word) if word.is_empty() => format!("{value:.3}"),
        Unit::Other(word) => format!("{value:.3} {word}"),
    }
}

fn format_bytes(value: f64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match UNITS.iter().find(|(_, size)| value.abs() >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", value / size),
        None => format!("{value:.0} B"),
    }
}

/// Summarizes a root cause and its impact in one sentence, which is safe to show.
pub fn summary(scored: &ScoredGraph, candidate: &RootCauseCandidate) -> String {
    clean(&sentence(scored, candidate)).into_owned()
}

fn sentence(scored: &ScoredGraph, candidate: &RootCauseCandidate) -> String {
    let node = &scored.graph.nodes()[candidate.root];
    if !candidate.is_conclusive {
        let path = node.path.as_deref().unwrap_or(&node.name);
        let waiting = processes_wait(candidate.affected.len().max(candidate.alarming.len()));
        return format!("{waiting} for the lock on {path}; its holder is not visible");
    }
    let subject = match node.pid {
        Some(pid) => format!("{} (pid {pid})", node.name),
        None => format!("{} `{}`", node.kind, node.name),
    };
    let deviations = &scored.scores[candidate.root].deviations;
    let to_text = |deviation| deviation_reason(scored, deviation).map(|reason| reason.text);
    let predicate = match candidate.symptom.as_str() {
        HOLDS_LOCK => {
            lock_reason(scored, candidate).map(|reason| reason.text).or_else(|| deviations.first().and_then(to_text))
        }
        DOES_NOT_READ => Some(reader_reason(scored, candidate).text),
        symptom => deviations
            .iter()
            .find(|deviation| scored.columns.get(deviation.column).is_some_and(|column| column.name == symptom))
            .and_then(to_text),
    };
    let predicate = predicate.unwrap_or_else(|| "deviates from its baseline".to_owned());
    format!("{subject}: {predicate}{}", impact_clause(candidate))
}

/// The number of affected nodes, unless the description of the symptom contains it.
fn impact_clause(candidate: &RootCauseCandidate) -> String {
    match candidate.affected.len() {
        0 => String::new(),
        _ if [HOLDS_LOCK, DOES_NOT_READ].contains(&candidate.symptom.as_str()) => String::new(),
        1 => "; 1 other node affected".to_owned(),
        n => format!("; {n} other nodes affected"),
    }
}

fn processes_wait(n: usize) -> String {
    if n == 1 { "1 process waits".to_owned() } else { format!("{n} processes wait") }
}
