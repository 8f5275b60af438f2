//! What a foreign graph's columns are in, guessed from how people name metrics.
//!
//! The rules are general and come before any result: units in parentheses first, then words. None is fitted to a case.

use schemas::{Form, NodeKind, Unit};

/// How one column is declared, and by what its values are multiplied to be in that unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The unit, as in a snapshot.
    pub unit: Unit,
    /// As in a snapshot.
    pub form: Form,
    /// Values are multiplied by it.
    pub factor: f64,
}

const fn gauge(unit: Unit, factor: f64) -> Declared {
    Declared { unit, form: Form::Gauge, factor }
}

const fn rate(unit: Unit) -> Declared {
    Declared { unit, form: Form::Rate, factor: 1.0 }
}

/// The first rule all of whose parts are in the name, in small letters, is taken.
const RULES: &[(&[&str], Declared)] = &[
    (&["success", "%"], gauge(Unit::PercentGood, 1.0)),
    (&["availability"], gauge(Unit::PercentGood, 1.0)),
    (&["(%)"], gauge(Unit::Percent, 1.0)),
    (&["percent"], gauge(Unit::Percent, 1.0)),
    (&["(ms)"], gauge(Unit::Milliseconds, 1.0)),
    (&["(s)"], gauge(Unit::Milliseconds, 1000.0)),
    // Thousandths of a core.
    (&["cpu", "(m)"], gauge(Unit::Percent, 0.1)),
    (&["(mi)"], gauge(Unit::Bytes, 1_048_576.0)),
    (&["(ops)"], rate(Unit::PerSecond)),
    // Where nothing else is said, time is in its base unit.
    (&["latency"], gauge(Unit::Milliseconds, 1000.0)),
    (&["duration"], gauge(Unit::Milliseconds, 1000.0)),
    // What goes over a network is counted from one look to the next.
    (&["network", "bytes"], rate(Unit::BytesPerSecond)),
    (&["receive", "bytes"], rate(Unit::BytesPerSecond)),
    (&["transmit", "bytes"], rate(Unit::BytesPerSecond)),
    (&["bytes"], gauge(Unit::Bytes, 1.0)),
    (&["request"], gauge(Unit::Count, 1.0)),
    (&["syscall"], gauge(Unit::Count, 1.0)),
    (&["error"], gauge(Unit::Count, 1.0)),
    (&["count"], gauge(Unit::Count, 1.0)),
];

/// How a column of that name is declared; one that no rule knows has no unit.
pub fn declared(name: &str) -> Declared {
    let name = name.to_lowercase();
    let rule = RULES.iter().find(|(parts, _)| parts.iter().all(|part| name.contains(part)));
    rule.map_or_else(|| gauge(Unit::default(), 1.0), |(_, declared)| declared.clone())
}

/// The kind of a node of that type: what carries others and only feels their load is a `system`, all else keeps its name.
pub fn kind(of_type: &str) -> NodeKind {
    match of_type {
        "host" | "node" | "machine" | "vm" => NodeKind::System,
        other => other.into(),
    }
}

/// The name that the original design has for a column, where it reads such a thing.
pub fn original_name(name: &str) -> Option<&'static str> {
    let declared = declared(name);
    let name = name.to_lowercase();
    match declared.unit {
        Unit::Percent if name.contains("cpu") && name.contains("(%)") => Some("cpu_pct"),
        Unit::Bytes if name.contains("memory") => Some("memory_rss"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_guessed_from_names() {
        let cases = [
            ("CpuUsageRate(%)", "percent", 1.0),
            ("CpuUsage(m)", "percent", 0.1),
            ("MemoryUsage(Mi)", "B", 1_048_576.0),
            ("PodClientLatencyP90(s)", "ms", 1000.0),
            ("wait(ms)", "ms", 1.0),
            ("latency_p95", "ms", 1000.0),
            ("PodSuccessRate(%)", "percent-good", 1.0),
            ("availability_Average", "percent-good", 1.0),
            ("NetworkReceiveBytes", "B/s", 1.0),
            ("heap_bytes", "B", 1.0),
            ("PodWorkload(Ops)", "1/s", 1.0),
            ("requests_Sum", "count", 1.0),
            ("phase of the moon", "", 1.0),
        ];
        for (name, unit, factor) in cases {
            let declared = declared(name);
            assert_eq!((declared.unit.as_str(), declared.factor), (unit, factor), "{name}");
        }
    }

    #[test]
    fn the_original_reads_what_it_would_know() {
        let names = ["CpuUsageRate(%)", "MemoryUsage(Mi)", "CpuUsage(m)", "MemoryUsageRate(%)", "latency_p95"];
        assert_eq!(names.map(original_name), [Some("cpu_pct"), Some("memory_rss"), None, None, None]);
    }
}
