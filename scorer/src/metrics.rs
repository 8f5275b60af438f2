//! Counters and gauges of the scorer, in the Prometheus text format.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use bus::{Record, Replacement};
use schemas::{Coverage, EventKind, Topic};

/// Largest number of signals with series of their own for one host. The names of signals come from
/// the producer, and each new name would add a series forever.
const MAX_SIGNALS: usize = 100;
/// Longer names of signals and reasons are truncated to this many characters.
const MAX_NAME_CHARS: usize = 64;

/// Counters of the scorer since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Snapshots of the learning phase.
    pub learned: u64,
    /// Snapshots that were scored.
    pub scored: u64,
    /// Snapshots that were skipped because they were processed before.
    pub duplicates: u64,
    /// Snapshots that were skipped because another run of the same host is active.
    pub other_runs: u64,
    /// Hosts whose state was removed because they sent no snapshots.
    pub hosts_forgotten: u64,
    /// Hosts with two active producers.
    pub conflicting_hosts: usize,
    /// Snapshots that were not judged because their coverage had collapsed.
    pub blind: u64,
    /// Snapshots that retention deleted before they were read.
    pub lost: u64,
    /// Records that were published as dead letters.
    pub dead_letters: u64,
    /// Records that the bus rejected; they became dead letters.
    pub records_rejected: u64,
    /// Dead letters that the bus rejected, even the shortest form.
    pub dead_letters_lost: u64,
    /// Snapshots with at least one node above the threshold.
    pub alarming: u64,
    /// Model releases that were loaded.
    pub releases_loaded: u64,
    /// Model releases that were rejected.
    pub releases_rejected: u64,
    /// Failed attempts to publish, each of which was retried.
    pub publish_failures: u64,
    events: [u64; 4],
}

const EVENTS: [EventKind; 4] = [EventKind::Opened, EventKind::Updated, EventKind::Resolved, EventKind::Stale];

impl Metrics {
    /// Counts a record that the bus rejected.
    pub fn count_replacement(&mut self, replacement: Replacement) {
        match replacement {
            Replacement::DeadLetter => self.records_rejected += 1,
            Replacement::ShorterDeadLetter => {}
            Replacement::Removed => self.dead_letters_lost += 1,
        }
    }

    /// Counts the dead letters among published records.
    pub fn count_dead_letters(&mut self, published: &[Record]) {
        let letters = published.iter().filter(|record| record.topic == Topic::DeadLetter);
        self.dead_letters += letters.count() as u64;
    }

    /// Counts an incident event.
    pub fn count_event(&mut self, event: EventKind) {
        if let Some(index) = EVENTS.iter().position(|known| *known == event) {
            self.events[index] += 1;
        }
    }

    /// Renders the text of `/metrics`. `open` is the number of incidents that are not resolved;
    /// `coverage` has the coverage of the newest snapshot for each host.
    pub fn render<'h>(
        &self,
        open: usize,
        coverage: impl ExactSizeIterator<Item = (&'h str, &'h [Coverage])>,
    ) -> String {
        let counters = [
            ("detective_snapshots_learned_total", "Snapshots of the learning phase.", self.learned),
            ("detective_snapshots_scored_total", "Snapshots scored.", self.scored),
            ("detective_snapshots_duplicate_total", "Snapshots skipped as duplicates.", self.duplicates),
            ("detective_snapshots_other_run_total", "Snapshots skipped while another run is active.", self.other_runs),
            ("detective_hosts_forgotten_total", "Hosts removed because they sent no snapshots.", self.hosts_forgotten),
            ("detective_snapshots_blind_total", "Snapshots not judged for lack of coverage.", self.blind),
            ("detective_snapshots_alarming_total", "Snapshots with a node above the threshold.", self.alarming),
            ("detective_snapshots_lost_total", "Snapshots deleted before they were read.", self.lost),
            ("detective_dead_letters_total", "Records published as dead letters.", self.dead_letters),
            ("detective_records_rejected_total", "Records that the bus rejected.", self.records_rejected),
            ("detective_dead_letters_lost_total", "Dead letters that the bus rejected.", self.dead_letters_lost),
            ("detective_releases_loaded_total", "Model releases loaded.", self.releases_loaded),
            ("detective_releases_rejected_total", "Model releases rejected.", self.releases_rejected),
            ("detective_publish_failures_total", "Failed attempts to publish.", self.publish_failures),
        ];
        let gauges = [
            ("detective_incidents_open", "Incidents that are not resolved.", open),
            ("detective_hosts", "Hosts that sent snapshots.", coverage.len()),
            ("detective_hosts_conflicting", "Hosts with two active producers.", self.conflicting_hosts),
        ];
        let mut text = String::new();
        for (name, help, value) in counters {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
        }
        for (name, help, value) in gauges {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
        }
        let name = "detective_incident_events_total";
        let _ = write!(text, "# HELP {name} Incident events published.\n# TYPE {name} counter\n");
        for (event, count) in EVENTS.iter().zip(self.events) {
            let _ = writeln!(text, "{name}{{event=\"{event}\"}} {count}");
        }
        push_coverage(&mut text, coverage);
        text
    }
}

fn push_coverage<'h>(text: &mut String, coverage: impl Iterator<Item = (&'h str, &'h [Coverage])>) {
    let name = "detective_coverage_missing";
    let help = "Missing values in the newest snapshot, by signal and reason.";
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    for (host, entries) in coverage {
        let host = escape_label(host);
        for ((signal, reason), count) in sum_by_series(entries) {
            let signal = escape_label(signal);
            let reason = escape_label(reason);
            let _ = writeln!(text, "{name}{{host=\"{host}\",signal=\"{signal}\",reason=\"{reason}\"}} {count}");
        }
    }
}

/// Sums the entries of equal signal and reason. Prometheus rejects the whole response if a series
/// occurs twice.
fn sum_by_series(entries: &[Coverage]) -> BTreeMap<(&str, &str), i64> {
    let mut sums = BTreeMap::<(&str, &str), i64>::new();
    for entry in entries {
        let mut key = (truncate(&entry.signal), truncate(entry.reason.as_str()));
        if sums.len() >= MAX_SIGNALS && !sums.contains_key(&key) {
            key = ("others", "others");
        }
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(entry.count);
    }
    sums
}

fn truncate(name: &str) -> &str {
    name.char_indices().nth(MAX_NAME_CHARS).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}

/// Escapes backslashes, quotes and line feeds in the value of a label.
fn escape_label(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '"', '\n']) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn entry(signal: &str, reason: &str, count: i64) -> Coverage {
        Coverage { signal: signal.to_owned(), reason: reason.into(), count }
    }

    /// Renders the coverage series of these hosts.
    fn render_coverage(hosts: &[(&str, &[Coverage])]) -> String {
        let text = Metrics::default().render(0, hosts.iter().copied());
        let start = text.find("# HELP detective_coverage_missing").unwrap();
        text[start..].to_owned()
    }

    #[test]
    fn missing_values_are_a_series_for_each_host_signal_and_reason() {
        let web = [
            entry("fd", "denied", 7),
            entry("fd", "gone", 1),
            entry("snapshot", "gone", 2),
            entry("snapshot", "gone", 3),
        ];
        let special = [entry("a\"b\\c\nd", "é", 1)];
        let expected = expect![[r##"
            # HELP detective_coverage_missing Missing values in the newest snapshot, by signal and reason.
            # TYPE detective_coverage_missing gauge
            detective_coverage_missing{host="db\\1",signal="a\"b\\c\nd",reason="é"} 1
            detective_coverage_missing{host="web",signal="fd",reason="denied"} 7
            detective_coverage_missing{host="web",signal="fd",reason="gone"} 1
            detective_coverage_missing{host="web",signal="snapshot",reason="gone"} 5
        "##]];
        expected.assert_eq(&render_coverage(&[("all\"read\"", &[]), ("db\\1", &special), ("web", &web)]));
    }

    #[test]
    fn the_number_of_series_of_a_host_is_limited() {
        let entries: Vec<Coverage> =
            (0..1000).map(|n| entry(&format!("{n:03}{}", "ü".repeat(100)), "off", 1)).collect();
        let text = render_coverage(&[("h", &entries)]);
        assert_eq!(text.lines().count(), 2 + MAX_SIGNALS + 1);
        assert!(text.contains("{host=\"h\",signal=\"others\",reason=\"others\"} 900\n"), "{text}");
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest < 150, "{longest}");
    }
}
