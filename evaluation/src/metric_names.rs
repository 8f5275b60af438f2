//! Units and forms of the metrics of foreign graphs, inferred from their names.
//!
//! The rules are general and were written before any result was known: units in parentheses first,
//! then words. No rule is fitted to a case.

use schemas::{Form, NodeKind, Unit};
use signals::Signal;

/// Unit and form of a metric as a column of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricDeclaration {
    /// Unit of the column.
    pub unit: Unit,
    /// Form of the column.
    pub form: Form,
    /// Factor from the metric's own unit to `unit`.
    pub factor: f64,
}

const fn gauge(unit: Unit, factor: f64) -> MetricDeclaration {
    MetricDeclaration { unit, form: Form::Gauge, factor }
}

const fn rate(unit: Unit) -> MetricDeclaration {
    MetricDeclaration { unit, form: Form::Rate, factor: 1.0 }
}

/// Substrings of lower-case names, and what they declare. The first rule whose substrings are all
/// in the name applies.
const RULES: &[(&[&str], MetricDeclaration)] = &[
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
    // Without a unit in the name, times are in seconds.
    (&["latency"], gauge(Unit::Milliseconds, 1000.0)),
    (&["duration"], gauge(Unit::Milliseconds, 1000.0)),
    // Network traffic is counted per interval.
    (&["network", "bytes"], rate(Unit::BytesPerSecond)),
    (&["receive", "bytes"], rate(Unit::BytesPerSecond)),
    (&["transmit", "bytes"], rate(Unit::BytesPerSecond)),
    (&["bytes"], gauge(Unit::Bytes, 1.0)),
    (&["request"], gauge(Unit::Count, 1.0)),
    (&["syscall"], gauge(Unit::Count, 1.0)),
    (&["error"], gauge(Unit::Count, 1.0)),
    (&["count"], gauge(Unit::Count, 1.0)),
];

/// Infers the declaration of a metric from its name. Without a matching rule it is a gauge without
/// a unit.
pub fn declare(name: &str) -> MetricDeclaration {
    let name = name.to_lowercase();
    let rule = RULES.iter().find(|(substrings, _)| substrings.iter().all(|substring| name.contains(substring)));
    rule.map_or_else(|| gauge(Unit::default(), 1.0), |(_, declaration)| declaration.clone())
}

/// Kind of a foreign node. A machine, which only carries the load of other nodes, is a `system`;
/// every other type is its own kind.
pub fn node_kind(node_type: &str) -> NodeKind {
    match node_type {
        "host" | "node" | "machine" | "vm" => NodeKind::System,
        other => other.into(),
    }
}

/// Signal of the profile `classic` that a metric corresponds to, if any.
pub fn classic_feature(name: &str) -> Option<Signal> {
    let declaration = declare(name);
    let name = name.to_lowercase();
    match declaration.unit {
        Unit::Percent if name.contains("cpu") && name.contains("(%)") => Some(Signal::CpuPct),
        Unit::Bytes if name.contains("memory") => Some(Signal::MemoryRss),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_inferred_from_names() {
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
            let declaration = declare(name);
            assert_eq!((declaration.unit.as_str(), declaration.factor), (unit, factor), "{name}");
        }
    }

    #[test]
    fn only_cpu_percent_and_memory_bytes_are_classic_features() {
        let names = ["CpuUsageRate(%)", "MemoryUsage(Mi)", "CpuUsage(m)", "MemoryUsageRate(%)", "latency_p95"];
        assert_eq!(names.map(classic_feature), [Some(Signal::CpuPct), Some(Signal::MemoryRss), None, None, None]);
    }
}
