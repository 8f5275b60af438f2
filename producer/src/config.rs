//! Settings of the producer.

use std::path::PathBuf;

use collector::SweepConfig;

/// The host that a producer watches, how it reads it, and what it never shows.
#[derive(Clone, Debug, Default)]
pub struct Producer {
    /// Id of the host, the key of its records.
    pub host: String,
    /// Id of the group of similar hosts that share a model.
    pub cohort: String,
    /// How to read the host.
    pub sweep: SweepConfig,
    /// Paths of Local Detective's own data. Files at or below them are never shown.
    pub own_paths: Vec<PathBuf>,
}

impl Producer {
    /// Returns a producer for this host. An empty `host` defaults to the system's host name, an
    /// empty `cohort` to the host: a cohort of its own.
    pub fn new(host: &str, cohort: &str, sweep: SweepConfig, own_paths: Vec<PathBuf>) -> Producer {
        let or = |given: &str, other: String| if given.is_empty() { other } else { given.to_owned() };
        let host = or(host, schemas::text::escape(rustix::system::uname().nodename().to_bytes()));
        let cohort = or(cohort, host.clone());
        Producer { host, cohort, sweep, own_paths }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_defaults_to_the_system_name_and_the_cohort_to_the_host() {
        let names = |host, cohort| {
            let producer = Producer::new(host, cohort, SweepConfig::default(), Vec::new());
            (producer.host, producer.cohort)
        };
        assert_eq!(names("a", "b"), ("a".into(), "b".into()));
        assert_eq!(names("a", ""), ("a".into(), "a".into()));
        let (host, cohort) = names("", "");
        assert!(!host.is_empty() && host == cohort);
    }
}
