//! Properties of every snapshot of this host.

use std::collections::HashSet;

use crate::children::*;

#[test]
fn every_snapshot_is_valid_and_survives_encoding() {
    let mut sweeper = sweeper();
    for sequence in 0..3 {
        let snapshot = sweeper.sweep().unwrap();
        assert_eq!((snapshot.sequence, snapshot.run.as_str()), (sequence, sweeper.run()));
        assert!(!snapshot.boot_id.is_empty() && snapshot.started_at <= snapshot.ended_at);
        let ids: HashSet<&str> = snapshot.nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids.len(), snapshot.nodes.len());
        let nodes = 0..i32::try_from(snapshot.nodes.len()).unwrap();
        for edge in &snapshot.edges {
            assert!(nodes.contains(&edge.source) && nodes.contains(&edge.target) && edge.source != edge.target);
        }
        for column in &snapshot.columns {
            assert_eq!(column.nodes.len(), column.values.len());
            assert!(column.nodes.is_sorted_by(|one, other| one < other), "{}", column.name);
            assert!(column.values.iter().all(|value| value.is_finite()), "{}", column.name);
            assert!(column.nodes.iter().all(|node| nodes.contains(node)));
            let missing = column.missing.iter().flat_map(|missing| &missing.nodes);
            assert!(missing.into_iter().all(|node| nodes.contains(node) && !column.nodes.contains(node)));
        }
        let bytes = schemas::encode(&snapshot).unwrap();
        assert_eq!(schemas::decode::<schemas::GraphSnapshot>(&bytes).unwrap(), snapshot);
    }
}

#[test]
fn node_ids_are_stable_between_sweeps() {
    let child = ChildGuard::start(std::process::Command::new("sleep").arg("60"));
    let mut sweeper = sweeper();
    let ids = [(); 2].map(|()| {
        let snapshot = sweeper.sweep().unwrap();
        node(&snapshot, process(&snapshot, child.pid()).unwrap()).id.clone()
    });
    assert_eq!(ids[0], ids[1]);
}
