//! The encoding of the default profile.

use graph::{Baselines, HostGraph, Profile, Recipe, baseline, features};
use schemas::Calibration;

use crate::fixture::graph;

fn fitted(graphs: &[HostGraph]) -> (Recipe, Baselines) {
    let recipe = Recipe::for_snapshots(Profile::Default, graphs.iter().map(HostGraph::snapshot));
    let calibration = Calibration { roles: baseline::fit(&recipe, graphs), ..Calibration::default() };
    let baselines = Baselines::new(&recipe, &calibration);
    (recipe, baselines)
}

fn healthy() -> Vec<HostGraph> {
    let host = |at: usize| {
        let cpu = 40 + at % 20;
        let idle = at % 2;
        graph(&format!(
            "process web1 cpu_pct={cpu} memory_rss=100000000\nprocess cron cpu_pct={idle} memory_rss=1000000\nweb1 > cron connects"
        ))
    };
    (0..40).map(host).collect()
}

/// The values of one node: per column its value and its missing flag, then the degrees.
fn row(recipe: &Recipe, baselines: &Baselines, graph: &HostGraph, node: usize) -> Vec<f32> {
    let encoded = features::encode(recipe, baselines, graph);
    encoded.x[node * encoded.width..(node + 1) * encoded.width].to_vec()
}

#[test]
fn usual_values_of_the_role_are_near_0_and_unusual_ones_far_away() {
    let (recipe, baselines) = fitted(&healthy());
    let host = graph("process web7 cpu_pct=50 memory_rss=100000000\nprocess cron cpu_pct=50 memory_rss=1000000");
    assert!(row(&recipe, &baselines, &host, 0)[0].abs() < 1.0, "a restarted web server is compared with its role");
    assert!(row(&recipe, &baselines, &host, 1)[0] > 4.0, "the same CPU use is high for another role");
}

#[test]
fn an_unknown_role_is_compared_with_its_kind() {
    let (recipe, baselines) = fitted(&healthy());
    let host = graph("process stranger cpu_pct=100\nprocess web1 cpu_pct=45");
    let values = row(&recipe, &baselines, &host, 0);
    assert!(values[0] > 1.0);
    assert_eq!(values[3], 1.0, "its memory is missing and not 0");
}

#[test]
fn one_busy_role_does_not_make_a_busy_unknown_role_normal() {
    let idle: String = ('a'..'k').map(|name| format!("process {name} cpu_pct=1\n")).collect();
    let learned: Vec<HostGraph> = (0..40).map(|_| graph(&format!("{idle}process compiler cpu_pct=100"))).collect();
    let (recipe, baselines) = fitted(&learned);
    let host = graph("process stranger cpu_pct=100\nprocess compiler cpu_pct=100");
    assert_eq!(
        row(&recipe, &baselines, &host, 0)[0],
        features::CLAMP,
        "99 points above the other roles, at 10 a spread"
    );
    assert_eq!(row(&recipe, &baselines, &host, 1)[0], 0.0, "the compiler is normally busy");
}

#[test]
fn columns_outside_the_recipe_are_ignored_and_absent_ones_are_missing() {
    let (recipe, baselines) = fitted(&healthy());
    let host = graph("process web1 new_signal=9\nprocess cron cpu_pct=0");
    assert_eq!(row(&recipe, &baselines, &host, 0), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn messages_go_both_ways_along_an_edge() {
    let (recipe, baselines) = fitted(&healthy());
    let encoded = features::encode(&recipe, &baselines, &healthy()[0]);
    assert_eq!((encoded.sources, encoded.targets), (vec![0, 1], vec![1, 0]));
}

#[test]
fn one_abnormal_snapshot_in_ten_does_not_move_the_baseline() {
    let mut graphs = healthy();
    let clean = baseline::fit(&fitted(&graphs).0, &graphs);
    for graph in graphs.iter_mut().take(4) {
        let mut snapshot = graph.snapshot().clone();
        snapshot.columns.iter_mut().for_each(|column| column.values.iter_mut().for_each(|value| *value *= 1.5));
        *graph = HostGraph::new(snapshot).unwrap();
    }
    let poisoned = baseline::fit(&fitted(&graphs).0, &graphs);
    for (clean, poisoned) in clean.iter().zip(&poisoned) {
        for ((a, b), spread) in clean.centre.iter().zip(&poisoned.centre).zip(&clean.spread) {
            assert!((a - b).abs() < *spread, "the centre of `{}` moved from {a} to {b}", clean.role);
        }
    }
}
