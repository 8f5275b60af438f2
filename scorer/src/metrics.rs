//! What is counted, in the text form that Prometheus reads.

use std::fmt::Write;

use schemas::EventKind;

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

    /// The text of `/metrics`; `open` incidents are a gauge.
    pub fn render(&self, open: usize, hosts: usize) -> String {
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
            ("detective_hosts", "Hosts heard of.", hosts),
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
        text
    }
}
