//! Evidence in words.

use graph::Deviation;
use schemas::{Evidence, Reason, Unit};
use signals::Signal;

use crate::{
    blame::Case,
    score::{Judged, ScoredColumn},
};

/// A value that is not as it should be.
pub fn of_deviation(judged: &Judged, deviation: &Deviation) -> Option<Reason> {
    let ScoredColumn { name, unit, .. } = judged.columns.get(deviation.column)?;
    let (label, source) = match Signal::from_name(name).map(Signal::definition) {
        Some(definition) => (definition.label, definition.source.path),
        None => (name.as_str(), ""),
    };
    let (expected, observed) = (f64::from(deviation.expected), f64::from(deviation.observed));
    let text = match unit {
        Unit::Flag => label.to_owned(),
        _ => format!("{label}: {}, normally {}", quantity(observed, unit), quantity(expected, unit)),
    };
    Some(Reason {
        text,
        expected: Some(expected),
        observed: Some(observed),
        unit: unit.to_string(),
        source: source.to_owned(),
    })
}

/// That others wait for the root's lock.
pub fn of_lock(judged: &Judged, case: &Case) -> Option<Reason> {
    let path = judged.graph.nodes()[case.locked_file?].path.as_deref().unwrap_or("a file");
    let longest = longest_wait_ms(judged, case);
    let waiting = waiting(case.victims.len());
    Some(Reason {
        text: format!(
            "holds the lock on {path} that {waiting} for, the longest for {}",
            quantity(longest, &Unit::Milliseconds)
        ),
        expected: Some(0.0),
        observed: Some(longest),
        unit: Unit::Milliseconds.to_string(),
        source: "/proc/locks".to_owned(),
    })
}

/// That others wait for the root to read.
pub fn of_reader(judged: &Judged, case: &Case) -> Reason {
    let longest = longest_wait_ms(judged, case);
    let waiting = waiting(case.victims.len());
    Reason {
        text: format!(
            "does not read what is written to it; {waiting}, the longest for {}",
            quantity(longest, &Unit::Milliseconds)
        ),
        expected: Some(0.0),
        observed: Some(longest),
        unit: Unit::Milliseconds.to_string(),
        source: "/proc/PID/syscall".to_owned(),
    }
}

/// A raw line.
pub fn of_evidence(evidence: &Evidence) -> Reason {
    Reason {
        text: evidence.text.clone(),
        expected: None,
        observed: None,
        unit: String::new(),
        source: format!("{}: {}", evidence.source, evidence.text),
    }
}

/// How long the longest wait of a case's victims has lasted, in milliseconds.
pub fn longest_wait_ms(judged: &Judged, case: &Case) -> f64 {
    let waits = judged.graph.dependants(case.root).filter_map(|(edge, _)| edge.blocked_ms);
    let of_victims = case.victims.iter().flat_map(|&victim| judged.graph.dependencies(victim));
    f64::from(waits.chain(of_victims.filter_map(|(edge, _)| edge.blocked_ms)).fold(0.0, f32::max))
}

/// A value with its unit, as a person writes it.
pub fn quantity(value: f64, unit: &Unit) -> String {
    match unit {
        Unit::Percent | Unit::PercentGood => format!("{value:.0} %"),
        Unit::Milliseconds if value.abs() >= 1000.0 => format!("{:.1} s", value / 1000.0),
        Unit::Milliseconds => format!("{value:.0} ms"),
        Unit::Bytes => bytes(value),
        Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        Unit::Count | Unit::Flag => format!("{value:.0}"),
        Unit::PerSecond => format!("{value:.1}/s"),
        Unit::Other(word) if word.is_empty() => format!("{value:.3}"),
        Unit::Other(word) => format!("{value:.3} {word}"),
    }
}

fn bytes(value: f64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match UNITS.iter().find(|(_, size)| value.abs() >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", value / size),
        None => format!("{value:.0} B"),
    }
}

/// One sentence that says what happened.
pub fn summary(judged: &Judged, case: &Case) -> String {
    let node = &judged.graph.nodes()[case.root];
    if !case.is_known {
        let path = node.path.as_deref().unwrap_or(&node.name);
        let waiting = waiting(case.victims.len().max(case.alarming.len()));
        return format!("{waiting} for the lock on {path}; who holds it cannot be seen");
    }
    let who = match node.pid {
        Some(pid) => format!("{} (pid {pid})", node.name),
        None => format!("{} `{}`", node.kind, node.name),
    };
    let strongest = || of_deviation(judged, judged.scores[case.root].deviations.first()?).map(|reason| reason.text);
    let what = match &*case.trouble {
        crate::blame::HOLDS_LOCK => of_lock(judged, case).map(|reason| reason.text).or_else(strongest),
        crate::blame::DOES_NOT_READ => Some(of_reader(judged, case).text),
        trouble => judged.scores[case.root]
            .deviations
            .iter()
            .find(|deviation| judged.columns.get(deviation.column).is_some_and(|column| column.name == trouble))
            .and_then(|deviation| of_deviation(judged, deviation))
            .map(|reason| reason.text),
    };
    let harm = match case.victims.len() {
        0 => String::new(),
        _ if [crate::blame::HOLDS_LOCK, crate::blame::DOES_NOT_READ].contains(&&*case.trouble) => String::new(),
        1 => "; 1 other suffers".to_owned(),
        n => format!("; {n} others suffer"),
    };
    format!("{who}: {}{harm}", what.unwrap_or_else(|| "deviates from what is normal for it".to_owned()))
}

fn waiting(n: usize) -> String {
    if n == 1 { "1 process waits".to_owned() } else { format!("{n} processes wait") }
}
