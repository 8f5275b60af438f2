//! What is counted, in the text form that Prometheus reads.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use schemas::{Coverage, EventKind};

/// Of one host no more signals are told apart: what a snapshot names is the producer's, and each name is a series for ever.
const MOST_SIGNALS: usize = 100;
/// A longer name of a signal or a reason is cut.
const LONGEST_NAME: usize = 64;

/// The scorer's counters, from its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Snapshots that were learned from before there was a model.
    pub learned: u64,
    /// Snapshots that were scored.
    pub scored: u64,
    /// Snapshots that had been taken already.
    pub repeated: u64,
    /// Records that went to the dead letters.
    pub refused: u64,
    /// Sweeps in which something was beyond the threshold.
    pub alarms: u64,
    /// Releases that were loaded.
    pub releases_loaded: u64,
    /// Releases that were refused.
    pub releases_refused: u64,
    /// Publications that failed and were tried again.
    pub publish_failures: u64,
    events: [u64; 4],
}

const EVENTS: [EventKind; 4] = [EventKind::Opened, EventKind::Updated, EventKind::Resolved, EventKind::Stale];

impl Metrics {
    /// Counts an event.
    pub fn event(&mut self, event: EventKind) {
        if let Some(at) = EVENTS.iter().position(|known| *known == event) {
            self.events[at] += 1;
        }
    }

    /// The text of `/metrics`; `open` incidents are a gauge, and so is what the newest snapshot of each host does not cover.
    pub fn render<'h>(
        &self,
        open: usize,
        coverage: impl ExactSizeIterator<Item = (&'h str, &'h [Coverage])>,
    ) -> String {
        let counters = [
            ("detective_snapshots_learned_total", "Snapshots learned from before there was a model.", self.learned),
            ("detective_snapshots_scored_total", "Snapshots scored.", self.scored),
            ("detective_snapshots_repeated_total", "Snapshots that had been taken already.", self.repeated),
            ("detective_records_refused_total", "Records that went to the dead letters.", self.refused),
            ("detective_sweeps_alarming_total", "Sweeps with a node beyond the threshold.", self.alarms),
            ("detective_releases_loaded_total", "Model releases loaded.", self.releases_loaded),
            ("detective_releases_refused_total", "Model releases refused.", self.releases_refused),
            (
                "detective_publish_failures_total",
                "Publications that failed and were tried again.",
                self.publish_failures,
            ),
        ];
        let gauges = [
            ("detective_incidents_open", "Incidents that are not over.", open),
            ("detective_hosts", "Hosts heard of.", coverage.len()),
        ];
        let mut text = String::new();
        for (name, help, value) in counters {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
        }
        for (name, help, value) in gauges {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
        }
        let name = "detective_incident_events_total";
        let _ = write!(text, "# HELP {name} Events of incidents.\n# TYPE {name} counter\n");
        for (event, count) in EVENTS.iter().zip(self.events) {
            let _ = writeln!(text, "{name}{{event=\"{event}\"}} {count}");
        }
        push_coverage(&mut text, coverage);
        text
    }
}

fn push_coverage<'h>(text: &mut String, coverage: impl Iterator<Item = (&'h str, &'h [Coverage])>) {
    let name = "detective_coverage_missing";
    let help = "How often a signal was missing from the newest snapshot, by the reason why.";
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    for (host, gaps) in coverage {
        let host = label(host);
        for ((signal, reason), count) in summed(gaps) {
            let (signal, reason) = (label(signal), label(reason));
            let _ = writeln!(text, "{name}{{host=\"{host}\",signal=\"{signal}\",reason=\"{reason}\"}} {count}");
        }
    }
}

/// The gaps, each once: two series of one name would make the whole text unreadable.
fn summed(gaps: &[Coverage]) -> BTreeMap<(&str, &str), i64> {
    let mut sums = BTreeMap::<(&str, &str), i64>::new();
    for gap in gaps {
        let mut key = (cut(&gap.signal), cut(gap.reason.as_str()));
        if sums.len() >= MOST_SIGNALS && !sums.contains_key(&key) {
            key = ("others", "others");
        }
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(gap.count);
    }
    sums
}

fn cut(name: &str) -> &str {
    name.char_indices().nth(LONGEST_NAME).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}

/// A label's value, which may hold anything but a bare quote, backslash or line feed.
fn label(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '"', '\n']) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn gap(signal: &str, reason: &str, count: i64) -> Coverage {
        Coverage { signal: signal.to_owned(), reason: reason.into(), count }
    }

    /// The lines of what is not covered.
    fn lines(hosts: &[(&str, &[Coverage])]) -> String {
        let text = Metrics::default().render(0, hosts.iter().copied());
        let at = text.find("# HELP detective_coverage_missing").unwrap();
        text[at..].to_owned()
    }

    #[test]
    fn what_a_host_does_not_see_is_a_series_for_each_signal_and_reason() {
        let web =
            [gap("fd", "denied", 7), gap("fd", "gone", 1), gap("snapshot", "gone", 2), gap("snapshot", "gone", 3)];
        let odd = [gap("a\"b\\c\nd", "é", 1)];
        let expected = expect![[r##"
            # HELP detective_coverage_missing How often a signal was missing from the newest snapshot, by the reason why.
            # TYPE detective_coverage_missing gauge
            detective_coverage_missing{host="db\\1",signal="a\"b\\c\nd",reason="é"} 1
            detective_coverage_missing{host="web",signal="fd",reason="denied"} 7
            detective_coverage_missing{host="web",signal="fd",reason="gone"} 1
            detective_coverage_missing{host="web",signal="snapshot",reason="gone"} 5
        "##]];
        expected.assert_eq(&lines(&[("all\"seen\"", &[]), ("db\\1", &odd), ("web", &web)]));
    }

    #[test]
    fn a_snapshot_cannot_make_series_without_end() {
        let gaps: Vec<Coverage> = (0..1000).map(|n| gap(&format!("{n:03}{}", "ü".repeat(100)), "off", 1)).collect();
        let text = lines(&[("h", &gaps)]);
        assert_eq!(text.lines().count(), 2 + MOST_SIGNALS + 1);
        assert!(text.contains("{host=\"h\",signal=\"others\",reason=\"others\"} 900\n"), "{text}");
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest < 150, "{longest}");
    }
}
