//! How inputs, valid and invalid, change the state of the scorer.

use bus::{Delivery, Record};
use schemas::{GraphSnapshot, HealthSource, HealthySnapshot, Node, Timestamp, Topic, decode, encode};
use scorer::{ScorerConfig, engine::Engine, learning::LearningProgress};

fn engine() -> Engine {
    Engine::new(ScorerConfig::default(), [], Timestamp(0))
}

pub fn snapshot(sequence: i64) -> GraphSnapshot {
    let node =
        |id: &str| Node { id: id.into(), kind: "process".into(), role: id.into(), name: id.into(), ..Node::default() };
    GraphSnapshot {
        host: "h".into(),
        cohort: "c".into(),
        run: "r".into(),
        sequence,
        nodes: vec![node("a"), node("b")],
        ..GraphSnapshot::default()
    }
}

fn delivery(value: Vec<u8>) -> Delivery {
    delivery_of("h", value)
}

pub fn delivery_of(key: &str, value: Vec<u8>) -> Delivery {
    Delivery {
        topic: Topic::Snapshots,
        partition: 0,
        offset: 7,
        key: key.into(),
        headers: vec![("ce_id".into(), b"1".to_vec())],
        value,
        time: Timestamp(5),
    }
}

fn handle(engine: &mut Engine, snapshot: &GraphSnapshot) -> Vec<Record> {
    engine.handle_snapshot(&delivery(encode(snapshot).unwrap()), Timestamp(0))
}

#[test]
fn the_first_snapshots_are_learned_and_carry_the_learning_progress() {
    let mut engine = engine();
    for sequence in 0..60 {
        let records = handle(&mut engine, &snapshot(sequence));
        assert_eq!(records.len(), 1);
        let healthy: HealthySnapshot = decode(&records[0].value).unwrap();
        assert_eq!((healthy.vouched_by, healthy.learned, healthy.wanted), (HealthSource::Learning, sequence + 1, 60));
        assert_eq!(decode::<GraphSnapshot>(&healthy.snapshot).unwrap(), snapshot(sequence));
    }
    assert!(handle(&mut engine, &snapshot(60)).is_empty(), "learning is complete, but there is no model yet");
}

#[test]
fn a_snapshot_whose_coverage_has_collapsed_is_not_learned_from() {
    let mut engine = engine();
    let coverage = vec![schemas::Coverage { signal: "process".into(), reason: "exhausted".into(), count: 8 }];
    assert_eq!(handle(&mut engine, &snapshot(0)).len(), 1);
    assert!(handle(&mut engine, &GraphSnapshot { coverage, ..snapshot(1) }).is_empty());
    assert_eq!(engine.metrics.blind, 1);
    assert_eq!(handle(&mut engine, &snapshot(2)).len(), 1);
}

#[test]
fn a_duplicate_snapshot_is_skipped() {
    let mut engine = engine();
    assert_eq!(handle(&mut engine, &snapshot(0)).len(), 1);
    assert!(handle(&mut engine, &snapshot(0)).is_empty());
    assert_eq!(engine.metrics.duplicates, 1);
}

#[test]
fn a_restart_continues_the_learning_phase() {
    let mut engine = engine();
    let records = handle(&mut engine, &snapshot(0));
    let mut restarted = self::engine();
    let progress = LearningProgress::from(&decode::<HealthySnapshot>(&records[0].value).unwrap());
    restarted.finish_restoring([("c".to_owned(), progress)].into());
    let records = handle(&mut restarted, &snapshot(1));
    assert_eq!(decode::<HealthySnapshot>(&records[0].value).unwrap().learned, 2);
}

fn check_dead_letter(value: Vec<u8>, reason: &str) {
    let mut engine = engine();
    let records = engine.handle_snapshot(&delivery(value.clone()), Timestamp(0));
    let [letter] = records.as_slice() else { panic!("expected one record, found {records:?}") };
    assert_eq!((letter.topic, letter.key.as_str()), (Topic::DeadLetter, "h"));
    assert_eq!(letter.value, value, "the bytes are unchanged");
    let header = |name: &str| {
        letter.headers.iter().find(|(held, _)| held == name).map(|(_, value)| String::from_utf8_lossy(value))
    };
    assert_eq!(header("from").unwrap(), "detective.snapshots/0/7");
    assert_eq!(header("ce_id").unwrap(), "1");
    assert!(header("why").unwrap().contains(reason), "expected `{reason}` in `{}`", header("why").unwrap());
    assert_eq!(handle(&mut engine, &snapshot(1)).len(), 1, "the next snapshot is processed");
}

#[test]
fn an_invalid_snapshot_becomes_a_dead_letter_with_its_bytes_and_the_reason() {
    let good = encode(&snapshot(0)).unwrap();
    check_dead_letter(good[..good.len() - 1].to_vec(), "GraphSnapshot cannot be read");
    let of_another_host = GraphSnapshot { host: "other".into(), ..snapshot(0) };
    check_dead_letter(encode(&of_another_host).unwrap(), "expected host `h` as in the record's key, found `other`");
    check_dead_letter(b"hello".to_vec(), "single-object encoding");
    check_dead_letter(Vec::new(), "found nothing");
    let nan = GraphSnapshot {
        columns: vec![schemas::Column {
            name: "x".into(),
            nodes: vec![0],
            values: vec![f32::NAN],
            ..Default::default()
        }],
        ..snapshot(0)
    };
    check_dead_letter(encode(&nan).unwrap(), "column `x`, node `a`: expected a finite number, found NaN");
    let single_node = GraphSnapshot { nodes: snapshot(0).nodes[..1].to_vec(), ..snapshot(0) };
    check_dead_letter(encode(&single_node).unwrap(), "expected at least 2 nodes, found 1");
    let dangling_edge =
        GraphSnapshot { edges: vec![schemas::Edge { source: 0, target: 5, ..Default::default() }], ..snapshot(0) };
    check_dead_letter(encode(&dangling_edge).unwrap(), "points to node 5");
}

#[test]
fn a_snapshot_whose_healthy_record_is_too_large_becomes_a_dead_letter() {
    let mut snapshot = snapshot(0);
    let empty = encode(&snapshot).unwrap().len();
    snapshot.nodes[0].name = "x".repeat(schemas::codec::MAX_RECORD_BYTES - empty - 3);
    let value = encode(&snapshot).unwrap();
    let mut engine = engine();
    let records = engine.handle_snapshot(&delivery(value), Timestamp(0));
    let [letter] = records.as_slice() else { panic!("expected one record, found {}", records.len()) };
    let why = letter.headers.iter().find(|(name, _)| name == "why").map(|(_, why)| String::from_utf8_lossy(why));
    assert!(why.as_deref().unwrap_or_default().starts_with("HealthySnapshot of "), "{why:?}");
    engine.metrics.count_dead_letters(&records);
    assert_eq!(engine.metrics.dead_letters, 1);
}
