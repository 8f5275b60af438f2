//! The exported ONNX file reconstructs what the model reconstructs.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use graph::Encoded;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use trainer::{
    autoencoder::{Autoencoder, ModelInput, Weights},
    onnx,
};

#[test]
fn the_classic_model_has_1819_parameters_in_11_32_16_32_11() {
    let weights = Weights::random(11, &mut SmallRng::seed_from_u64(1));
    assert_eq!(weights.n_parameters(), 1819);
    let widths: Vec<_> = weights.layers.iter().map(|layer| (layer.inputs, layer.outputs)).collect();
    assert_eq!(widths, [(11, 32), (32, 16), (16, 32), (32, 11)]);
    let has_relu: Vec<_> = weights.layers.iter().map(|layer| layer.has_relu).collect();
    assert_eq!(has_relu, [true, true, true, false]);
    for layer in &weights.layers {
        let limit = (6.0 / (layer.inputs + layer.outputs) as f32).sqrt();
        let largest = layer.weight.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
        assert!(largest <= limit && largest > 0.9 * limit, "{largest} of {limit}");
        assert!(layer.bias.iter().all(|bias| *bias == 0.0));
    }
}

#[test]
fn an_inconsistent_graph_is_an_error_with_the_expected_and_found_values() {
    let valid = random_graph(3, 2, 4, &mut SmallRng::seed_from_u64(2));
    let invalid = [
        Encoded { nodes: 0, x: Vec::new(), ..valid.clone() },
        Encoded { width: 0, ..valid.clone() },
        Encoded { nodes: 4, ..valid.clone() },
        Encoded { targets: Vec::new(), ..valid.clone() },
        Encoded { sources: vec![3; 2], targets: vec![0; 2], ..valid.clone() },
        Encoded { sources: vec![0; 2], targets: vec![-1; 2], ..valid.clone() },
    ];
    for encoded in invalid {
        let error = ModelInput::new(&encoded).unwrap_err().to_string();
        assert!(error.starts_with("expected ") && error.contains(", found "), "{error}");
    }
    let model = Autoencoder::new(&Weights::random(5, &mut SmallRng::seed_from_u64(1))).unwrap();
    assert!(model.reconstruct(&ModelInput::new(&valid).unwrap()).is_err());
}

#[test]
#[ignore = "needs python with onnx and onnxruntime"]
fn onnxruntime_reconstructs_the_same_as_the_model_for_graphs_of_any_size() {
    for width in [11, 62] {
        let mut random = SmallRng::seed_from_u64(width as u64);
        let mut weights = Weights::random(width, &mut random);
        for bias in weights.layers.iter_mut().flat_map(|layer| &mut layer.bias) {
            *bias = random.random_range(-0.5..0.5);
        }
        let model = Autoencoder::new(&weights).unwrap();
        let mut graphs: Vec<_> =
            [(1, 0), (2, 1), (7, 20), (50, 0), (200, 900)].map(|(n, e)| random_graph(n, e, width, &mut random)).into();
        graphs.push(Encoded {
            sources: vec![0, 2, 2, 2, 1, 1],
            targets: vec![0, 1, 1, 1, 1, 0],
            ..random_graph(3, 0, width, &mut random)
        });
        let cases = graphs.iter().map(|graph| {
            let expected = model.reconstruct(&ModelInput::new(graph).unwrap()).unwrap();
            let sources = &graph.sources;
            let targets = &graph.targets;
            json!({"width": width, "x": graph.x, "sources": sources, "targets": targets, "expected": expected})
        });
        let file = onnx::export(&weights, &[("cohort".to_owned(), "made-up".to_owned())]);
        let report = run_python(&file, cases.collect());
        assert_eq!(report["opset"], json!([18]));
        assert_eq!(report["metadata"], json!({"cohort": "made-up"}));
        let width = width.to_string();
        assert_eq!(report["inputs"], json!({"x": ["N", width], "edge_index": ["2", "E"]}));
        assert_eq!(report["outputs"], json!({"reconstruction": ["N", width]}));
        for difference in report["differences"].as_array().unwrap() {
            assert!(difference.as_f64().unwrap() < 1e-4, "{report}");
        }
    }
}

fn random_graph(nodes: usize, edges: usize, width: usize, random: &mut SmallRng) -> Encoded {
    let mut row = || random.random_range(0..nodes as i64);
    let (sources, targets) = (0..edges).map(|_| (row(), row())).unzip();
    let x = (0..nodes * width).map(|_| random.random_range(-8.0..8.0)).collect();
    Encoded { nodes, width, x, sources, targets, node_of_row: (0..nodes).collect() }
}

fn run_python(file: &[u8], cases: Vec<Value>) -> Value {
    let python = std::env::var_os("DETECTIVE_PYTHON")
        .expect("DETECTIVE_PYTHON must name a Python interpreter with onnx, onnxruntime and numpy");
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("model.onnx");
    std::fs::write(&model, file).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/run_onnx.py");
    let mut child = Command::new(&python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cannot start Python");
    let request = json!({"model": model, "cases": cases}).to_string();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{python:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
