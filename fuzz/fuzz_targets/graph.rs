#![no_main]

use graph::{Baselines, HostGraph, Profile, Recipe, baseline, features};
use schemas::{Calibration, GraphSnapshot};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(snapshot) = fuzz::decode_body::<GraphSnapshot>(bytes) else { return };
    let Ok(graph) = HostGraph::new(snapshot) else { return };
    for profile in [Profile::Default, Profile::Classic] {
        let recipe = Recipe::for_snapshots(profile, [graph.snapshot()]);
        let roles = baseline::fit(&recipe, std::slice::from_ref(&graph));
        let baselines = Baselines::new(&recipe, &Calibration { threshold: 1.0, roles, ..Calibration::default() });
        let encoded = features::encode(&recipe, &baselines, &graph);
        assert!(encoded.x.iter().all(|value| value.is_finite()));
    }
});
