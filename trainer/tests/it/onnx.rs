//! The exported file says what the model says.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use graph::Encoded;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use trainer::{
    autoencoder::{Autoencoder, Example, Weights},
    onnx,
};

#[test]
fn the_classic_model_has_1819_parameters_in_11_32_16_32_11() {
    let weights = Weights::random(11, &mut SmallRng::seed_from_u64(1));
    assert_eq!(weights.n_parameters(), 1819);
    let widths: Vec<_> = weights.layers.iter().map(|layer| (layer.inputs, layer.outputs)).collect();
    assert_eq!(widths, [(11, 32), (32, 16), (16, 32), (32, 11)]);
    let rectified: Vec<_> = weights.layers.iter().map(|layer| layer.is_rectified).collect();
    assert_eq!(rectified, [true, true, true, false]);
    for layer in &weights.layers {
        let limit = (6.0 / (layer.inputs + layer.outputs) as f32).sqrt();
        let largest = layer.weight.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
        assert!(largest <= limit && largest > 0.9 * limit, "{largest} of {limit}");
        assert!(layer.bias.iter().all(|bias| *bias == 0.0));
    }
}

#[test]
fn a_graph_that_does_not_fit_together_is_refused_and_says_why() {
    let fine = random_graph(3, 2, 4, &mut SmallRng::seed_from_u64(2));
    let broken = [
        Encoded { nodes: 0, x: Vec::new(), ..fine.clone() },
        Encoded { width: 0, ..fine.clone() },
        Encoded { nodes: 4, ..fine.clone() },
        Encoded { targets: Vec::new(), ..fine.clone() },
        Encoded { sources: vec![3; 2], targets: vec![0; 2], ..fine.clone() },
        Encoded { sources: vec![0; 2], targets: vec![-1; 2], ..fine.clone() },
    ];
    for encoded in broken {
        let error = Example::new(&encoded).unwrap_err().to_string();
        assert!(error.starts_with("expected ") && error.contains(", found "), "{error}");
    }
    let model = Autoencoder::new(&Weights::random(5, &mut SmallRng::seed_from_u64(1))).unwrap();
    assert!(model.reconstruct(&Example::new(&fine).unwrap()).is_err());
}

#[test]
#[ignore = "needs python with onnx and onnxruntime"]
fn onnxruntime_reconstructs_what_the_model_does_for_any_graph() {
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
            let expected = model.reconstruct(&Example::new(graph).unwrap()).unwrap();
            let (sources, targets) = (&graph.sources, &graph.targets);
            json!({"width": width, "x": graph.x, "sources": sources, "targets": targets, "expected": expected})
        });
        let file = onnx::export(&weights, &[("cohort".to_owned(), "made-up".to_owned())]);
        let answer = ask_python(&file, cases.collect());
        assert_eq!(answer["opset"], json!([18]));
        assert_eq!(answer["metadata"], json!({"cohort": "made-up"}));
        let width = width.to_string();
        assert_eq!(answer["inputs"], json!({"x": ["N", width], "edge_index": ["2", "E"]}));
        assert_eq!(answer["outputs"], json!({"reconstruction": ["N", width]}));
        for difference in answer["differences"].as_array().unwrap() {
            assert!(difference.as_f64().unwrap() < 1e-4, "{answer}");
        }
    }
}

fn random_graph(nodes: usize, edges: usize, width: usize, random: &mut SmallRng) -> Encoded {
    let mut row = || random.random_range(0..nodes as i64);
    let (sources, targets) = (0..edges).map(|_| (row(), row())).unzip();
    let x = (0..nodes * width).map(|_| random.random_range(-8.0..8.0)).collect();
    Encoded { nodes, width, x, sources, targets, node_of_row: (0..nodes).collect() }
}

fn ask_python(file: &[u8], cases: Vec<Value>) -> Value {
    let python = std::env::var_os("DETECTIVE_PYTHON")
        .expect("DETECTIVE_PYTHON names a python interpreter that has onnx, onnxruntime and numpy");
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("model.onnx");
    std::fs::write(&model, file).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/run_onnx.py");
    let mut child =
        Command::new(&python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a python");
    let request = json!({"model": model, "cases": cases}).to_string();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{python:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
