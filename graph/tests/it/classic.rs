//! The eleven features of the original design, value by value.

use graph::{Baselines, Profile, Recipe, classic, features};

use crate::fixture::graph;

#[test]
fn the_eleven_features_are_those_of_the_original_design() {
    let graph = graph(
        "process a cpu_pct=50 memory_rss=524288000 disk_wait=1
         process b cpu_pct=250 memory_rss=9999999999999 zombie=1
         file log
         endpoint e
         cgroup c
         system s psi_cpu_some=10 psi_memory_some=20 psi_io_some=30 psi_memory_full=5 psi_io_full=8
         a > log waits-lock 2500
         b > log holds-lock
         a > c member-of",
    );
    let recipe = Recipe { profile: Profile::Classic, columns: Vec::new() };
    let encoded = features::encode(&recipe, &Baselines::default(), &graph);
    assert_eq!(
        (encoded.nodes, encoded.width),
        (5, classic::FEATURES.len()),
        "the original design has no control groups"
    );
    assert_eq!(encoded.node_of_row, [0, 1, 2, 3, 5]);
    assert_eq!((encoded.sources, encoded.targets), (vec![0, 1], vec![2, 2]), "edges keep their direction");
    let expected = [
        // The process waits, and is in disk wait; its cgroup still counts for its degree.
        [0.0, 0.5, 0.5, 2.0 / 3.0, 1.0, 1.0, 0.0, 0.2, 0.25],
        [0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.1, 1.0 / 3.0],
        [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.2, 0.75],
        [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5],
        [3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5],
    ];
    for (row, expected) in expected.iter().enumerate() {
        let row = &encoded.x[row * 11..(row + 1) * 11];
        for (column, expected) in expected.iter().enumerate() {
            assert!(
                (row[column] - expected).abs() < 1e-6,
                "{}: {} is not {expected}",
                classic::FEATURES[column],
                row[column]
            );
        }
        assert!((row[9] - 0.2).abs() < 1e-6, "psi_combined is .3 * 10 + .4 * 20 + .3 * 30 percent");
        assert!((row[10] - 0.08).abs() < 1e-6, "psi_critical is the larger of the full pressures");
    }
}
