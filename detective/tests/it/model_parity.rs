//! The trainer and the scorer compute the same reconstruction of a graph.

use graph::Encoded;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use schemas::{Calibration, ColumnSpec, Manifest, ModelRelease, Timestamp, release::sha256_hex};
use scorer::model::Model;
use trainer::{
    autoencoder::{Autoencoder, ModelInput, Weights},
    onnx,
};

pub fn release(onnx: Vec<u8>, profile: &str, width: usize) -> ModelRelease {
    let columns = if profile == "classic" { 0 } else { (width - 2) / 2 };
    let column = |at: usize| ColumnSpec { name: format!("c{at}"), unit: "ms".into(), form: "gauge".into() };
    ModelRelease {
        cohort: "c".into(),
        generation: 0,
        created_at: Timestamp(0),
        profile: profile.into(),
        recipe: graph::RECIPE_VERSION,
        columns: (0..columns).map(column).collect(),
        features: i32::try_from(width).unwrap(),
        sha256: sha256_hex(&onnx),
        onnx,
        manifest: Manifest::default(),
        calibration: Calibration { threshold: 1.0, ..Calibration::default() },
    }
}

fn random_graph(nodes: usize, n_edges: usize, width: usize, random: &mut SmallRng) -> Encoded {
    let mut ends = || (0..n_edges).map(|_| random.random_range(0..nodes as i64)).collect::<Vec<_>>();
    let sources = ends();
    let targets = ends();
    let x = (0..nodes * width).map(|_| random.random_range(-8.0..8.0)).collect();
    Encoded { nodes, width, x, sources, targets, node_of_row: (0..nodes).collect() }
}

#[test]
fn scorer_and_trainer_compute_the_same_reconstruction() {
    for (profile, width) in [("classic", 11), ("default", 72)] {
        let mut random = SmallRng::seed_from_u64(width as u64);
        let weights = Weights::random(width, &mut random);
        let trained = Autoencoder::new(&weights).unwrap();
        let model = Model::load(release(onnx::export(&weights, &[]), profile, width)).unwrap();
        for (nodes, n_edges) in [(2, 0), (2, 1), (3, 7), (40, 90), (63, 1), (64, 500), (774, 2500)] {
            let encoded = random_graph(nodes, n_edges, width, &mut random);
            let expected = trained.reconstruct(&ModelInput::new(&encoded).unwrap()).unwrap();
            let found = model.reconstruct(&encoded).unwrap();
            let difference = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < 1e-4, "{profile}, {nodes} nodes, {n_edges} edges: {difference}");
        }
    }
}
