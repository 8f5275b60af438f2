//! The operators of the auto-encoder.
//!
//! Aggregation is D^-1/2 (A + I) D^-1/2 with the degree counted at the target. With S = h * dinv, adding the sources'
//! rows of S onto the rows of S itself *is* the self loop, so A + I is never built; every shape follows from `x` and
//! `edge_index`, so engines that plan ahead can.

use super::{
    EDGES, INPUT, OUTPUT,
    proto::{
        AttributeProto, AttributeType, Dimension, DimensionValue, FLOAT, GraphProto, INT64, NodeProto, TensorProto,
        TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
    },
};
use crate::autoencoder::{Layer, Weights};

pub(super) fn graph_of(weights: &Weights) -> GraphProto {
    let mut network = Network::default();
    network.edges_and_degrees();
    let mut hidden = INPUT.to_owned();
    let last = weights.layers.len().saturating_sub(1);
    for (at, layer) in weights.layers.iter().enumerate() {
        hidden = network.convolution(at, layer, &hidden, at == last);
    }
    let width = Size::Fixed(weights.width() as i64);
    GraphProto {
        node: network.nodes,
        name: "graph-autoencoder".to_owned(),
        initializer: network.constants,
        input: vec![
            value(INPUT, FLOAT, [Size::Symbol("N"), width]),
            value(EDGES, INT64, [Size::Fixed(2), Size::Symbol("E")]),
        ],
        output: vec![value(OUTPUT, FLOAT, [Size::Symbol("N"), width])],
    }
}

#[derive(Default)]
struct Network {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Network {
    /// `sources[E]`, `targets[E, 1]` and `dinv[N, 1]`, which every layer uses.
    fn edges_and_degrees(&mut self) {
        self.integers("zero", &[], &[0]);
        self.integers("one", &[], &[1]);
        self.integers("columns", &[1], &[1]);
        self.op("Gather", &[EDGES, "zero"], "sources", vec![integer("axis", 0)]);
        self.op("Gather", &[EDGES, "one"], "target_list", vec![integer("axis", 0)]);
        self.op("Unsqueeze", &["target_list", "columns"], "targets", vec![]);
        self.op("Shape", &[INPUT], "n_nodes", vec![integer("start", 0), integer("end", 1)]);
        self.op("Shape", &["target_list"], "n_edges", vec![]);
        self.op("ConstantOfShape", &["n_nodes"], "self_loops", vec![ones()]);
        self.op("ConstantOfShape", &["n_edges"], "arrivals", vec![ones()]);
        self.op("ScatterND", &["self_loops", "targets", "arrivals"], "degree", vec![add()]);
        self.op("Sqrt", &["degree"], "degree_root", vec![]);
        self.op("Reciprocal", &["degree_root"], "dinv_list", vec![]);
        self.op("Unsqueeze", &["dinv_list", "columns"], "dinv", vec![]);
    }

    /// One layer from the value named `input`; returns the name of what it makes.
    fn convolution(&mut self, at: usize, layer: &Layer, input: &str, is_last: bool) -> String {
        let name = |what: &str| format!("layer{at}.{what}");
        let (weight, bias) = (name("weight"), name("bias"));
        self.floats(&weight, &[layer.inputs as i64, layer.outputs as i64], &layer.weight);
        self.floats(&bias, &[layer.outputs as i64], &layer.bias);
        let product = name("product");
        let mixed = if layer.aggregates_first() {
            let aggregated = self.aggregate(at, input);
            self.op("MatMul", &[&aggregated, &weight], &product, vec![]);
            product
        } else {
            self.op("MatMul", &[input, &weight], &product, vec![]);
            self.aggregate(at, &product)
        };
        let sum = if is_last { OUTPUT.to_owned() } else { name("sum") };
        self.op("Add", &[&mixed, &bias], &sum, vec![]);
        if !layer.is_rectified {
            return sum;
        }
        let rectified = name("rectified");
        self.op("Relu", &[&sum], &rectified, vec![]);
        rectified
    }

    fn aggregate(&mut self, at: usize, input: &str) -> String {
        let name = |what: &str| format!("layer{at}.{what}");
        let (scaled, sent, received, aggregated) = (name("scaled"), name("sent"), name("received"), name("aggregated"));
        self.op("Mul", &[input, "dinv"], &scaled, vec![]);
        self.op("Gather", &[&scaled, "sources"], &sent, vec![integer("axis", 0)]);
        self.op("ScatterND", &[&scaled, "targets", &sent], &received, vec![add()]);
        self.op("Mul", &[&received, "dinv"], &aggregated, vec![]);
        aggregated
    }

    fn op(&mut self, op_type: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: format!("{output}:{op_type}"),
            op_type: op_type.to_owned(),
            attribute,
        });
    }

    fn integers(&mut self, name: &str, dims: &[i64], values: &[i64]) {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, INT64, dims, raw_data);
    }

    fn floats(&mut self, name: &str, dims: &[i64], values: &[f32]) {
        self.constant(name, FLOAT, dims, float_bytes(values));
    }

    fn constant(&mut self, name: &str, data_type: i32, dims: &[i64], raw_data: Vec<u8>) {
        self.constants.push(TensorProto { dims: dims.to_vec(), data_type, name: name.to_owned(), raw_data });
    }
}

fn float_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn integer(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i, r#type: AttributeType::Int.into(), ..Default::default() }
}

/// Rows that go to the same place add up; the default would keep one of them.
fn add() -> AttributeProto {
    AttributeProto {
        name: "reduction".to_owned(),
        s: b"add".to_vec(),
        r#type: AttributeType::String.into(),
        ..Default::default()
    }
}

fn ones() -> AttributeProto {
    let one = TensorProto { dims: vec![1], data_type: FLOAT, name: String::new(), raw_data: float_bytes(&[1.0]) };
    AttributeProto {
        name: "value".to_owned(),
        t: Some(one),
        r#type: AttributeType::Tensor.into(),
        ..Default::default()
    }
}

#[derive(Clone, Copy)]
enum Size {
    Fixed(i64),
    Symbol(&'static str),
}

fn value(name: &str, elem_type: i32, shape: [Size; 2]) -> ValueInfoProto {
    let dim = shape.map(|size| {
        let value = match size {
            Size::Fixed(size) => DimensionValue::Fixed(size),
            Size::Symbol(name) => DimensionValue::Symbol(name.to_owned()),
        };
        Dimension { value: Some(value) }
    });
    let shape = Some(TensorShapeProto { dim: dim.into() });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type: Some(TensorType { elem_type, shape }) }),
    }
}
