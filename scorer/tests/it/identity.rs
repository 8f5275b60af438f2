//! Snapshots of two producers under one host id, and restarts of a producer.

use schemas::{GraphSnapshot, Timestamp, encode};
use scorer::{ScorerConfig, engine::Engine};

use crate::engine::{delivery_of, snapshot};

struct Scorer {
    engine: Engine,
}

impl Scorer {
    fn new() -> Scorer {
        Scorer { engine: Engine::new(ScorerConfig::default(), [], Timestamp(0)) }
    }

    /// Whether a snapshot of host `h` is used. Without a model, each used snapshot is learned.
    fn uses(&mut self, run: &str, sequence: i64) -> bool {
        let snapshot = GraphSnapshot { run: run.into(), interval_ms: 1000, ..snapshot(sequence) };
        let learned = self.engine.metrics.learned;
        self.engine.handle_snapshot(&delivery_of("h", encode(&snapshot).unwrap()), Timestamp(0));
        self.engine.metrics.learned > learned
    }

    fn is_conflicting(&self) -> bool {
        self.engine.hosts["h"].runs.is_conflicting()
    }
}

#[test]
fn a_second_producer_of_the_same_host_id_has_no_effect_and_is_reported() {
    let mut scorer = Scorer::new();
    for sequence in 0..20 {
        assert!(scorer.uses("first", sequence));
        assert!(!scorer.uses("second", 100 + sequence));
    }
    assert!(scorer.is_conflicting());
    assert_eq!(scorer.engine.metrics.other_runs, 20);
}

#[test]
fn a_conflict_ends_when_the_second_producer_ends() {
    let mut scorer = Scorer::new();
    scorer.uses("first", 0);
    scorer.uses("second", 0);
    assert!(!scorer.is_conflicting(), "it may be a restart");
    for sequence in 1..=60 {
        scorer.uses("first", sequence);
        assert!(scorer.is_conflicting());
    }
    scorer.uses("first", 61);
    assert!(!scorer.is_conflicting());
}

#[test]
fn a_restarted_producer_takes_over_after_three_sweeps() {
    let mut scorer = Scorer::new();
    assert!(scorer.uses("before", 0));
    let used: Vec<bool> = (0..5).map(|sequence| scorer.uses("after", sequence)).collect();
    assert_eq!(used, [false, false, true, true, true]);
    assert!(!scorer.is_conflicting());
    assert!(!scorer.uses("before", 1), "a record of the former run that was delayed");
}

#[test]
fn one_of_several_runs_takes_over_when_the_current_one_ends() {
    let mut scorer = Scorer::new();
    scorer.uses("ended", 0);
    let used: Vec<bool> =
        (0..4).flat_map(|sequence| [scorer.uses("b", sequence), scorer.uses("c", sequence)]).collect();
    assert_eq!(used, [false, false, true, false, true, false, true, false]);
}

#[test]
fn a_record_of_the_other_run_that_is_delivered_again_does_not_count() {
    let mut scorer = Scorer::new();
    scorer.uses("first", 0);
    for _ in 0..10 {
        assert!(!scorer.uses("second", 5));
    }
    assert!(scorer.uses("first", 1));
}
