//! The ONNX operators of the auto-encoder.
//!
//! Aggregation is D^-1/2 (A + I) D^-1/2 with the degree counted at the target. Let S = h * dinv.
//! ScatterND adds the source rows of S to the target rows of S itself. The base S is the self loop,
//! so A + I is never built. All shapes follow from those of `x` and `edge_index`, so an engine can
//! plan memory ahead.

use super::{
    EDGES, INPUT, OUTPUT,
    proto::{
        AttributeProto, AttributeType, Dimension, DimensionValue, FLOAT, GraphProto, INT64, NodeProto, TensorProto,
        TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
    },
};
use crate::autoencoder::{Layer, Weights};

/// Returns the ONNX graph of a model with these weights.
pub(super) fn build_graph(weights: &Weights) -> GraphProto {
    let mut network = Network::default();
    network.add_edges_and_degrees();
    let mut hidden = INPUT.to_owned();
    let last = weights.layers.len().saturating_sub(1);
    for (index, layer) in weights.layers.iter().enumerate() {
        hidden = network.add_convolution(index, layer, &hidden, index == last);
    }
    let width = Size::Fixed(weights.width() as i64);
    GraphProto {
        node: network.nodes,
        name: "graph-autoencoder".to_owned(),
        initializer: network.constants,
        input: vec![
            value_info(INPUT, FLOAT, [Size::Symbol("N"), width]),
            value_info(EDGES, INT64, [Size::Fixed(2), Size::Symbol("E")]),
        ],
        output: vec![value_info(OUTPUT, FLOAT, [Size::Symbol("N"), width])],
    }
}

#[derive(Default)]
struct Network {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Network {
    /// Adds `sources[E]`, `targets[E, 1]` and `dinv[N, 1]`, which all layers use.
    fn add_edges_and_degrees(&mut self) {
        self.add_integers("zero", &[], &[0]);
        self.add_integers("one", &[], &[1]);
        self.add_integers("columns", &[1], &[1]);
        self.add_op("Gather", &[EDGES, "zero"], "sources", vec![int_attribute("axis", 0)]);
        self.add_op("Gather", &[EDGES, "one"], "target_list", vec![int_attribute("axis", 0)]);
        self.add_op("Unsqueeze", &["target_list", "columns"], "targets", vec![]);
        self.add_op("Shape", &[INPUT], "n_nodes", vec![int_attribute("start", 0), int_attribute("end", 1)]);
        self.add_op("Shape", &["target_list"], "n_edges", vec![]);
        self.add_op("ConstantOfShape", &["n_nodes"], "self_loops", vec![fill_with_one()]);
        self.add_op("ConstantOfShape", &["n_edges"], "edge_ones", vec![fill_with_one()]);
        self.add_op("ScatterND", &["self_loops", "targets", "edge_ones"], "degree", vec![reduce_by_adding()]);
        self.add_op("Sqrt", &["degree"], "degree_root", vec![]);
        self.add_op("Reciprocal", &["degree_root"], "dinv_list", vec![]);
        self.add_op("Unsqueeze", &["dinv_list", "columns"], "dinv", vec![]);
    }

    /// Adds layer `index`, which reads the value `input`; returns the name of its output.
    fn add_convolution(&mut self, index: usize, layer: &Layer, input: &str, is_last: bool) -> String {
        let name = |what: &str| format!("layer{index}.{what}");
        let weight = name("weight");
        let bias = name("bias");
        self.add_floats(&weight, &[layer.inputs as i64, layer.outputs as i64], &layer.weight);
        self.add_floats(&bias, &[layer.outputs as i64], &layer.bias);
        let product = name("product");
        let propagated = if layer.aggregates_first() {
            let aggregated = self.add_aggregation(index, input);
            self.add_op("MatMul", &[&aggregated, &weight], &product, vec![]);
            product
        } else {
            self.add_op("MatMul", &[input, &weight], &product, vec![]);
            self.add_aggregation(index, &product)
        };
        let biased = if is_last { OUTPUT.to_owned() } else { name("biased") };
        self.add_op("Add", &[&propagated, &bias], &biased, vec![]);
        if !layer.has_relu {
            return biased;
        }
        let relu = name("relu");
        self.add_op("Relu", &[&biased], &relu, vec![]);
        relu
    }

    /// Adds the aggregation of layer `index` over the neighbours; returns the name of its output.
    fn add_aggregation(&mut self, index: usize, input: &str) -> String {
        let name = |what: &str| format!("layer{index}.{what}");
        let scaled = name("scaled");
        let messages = name("messages");
        let sums = name("sums");
        let aggregated = name("aggregated");
        self.add_op("Mul", &[input, "dinv"], &scaled, vec![]);
        self.add_op("Gather", &[&scaled, "sources"], &messages, vec![int_attribute("axis", 0)]);
        self.add_op("ScatterND", &[&scaled, "targets", &messages], &sums, vec![reduce_by_adding()]);
        self.add_op("Mul", &[&sums, "dinv"], &aggregated, vec![]);
        aggregated
    }

    fn add_op(&mut self, op_type: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: format!("{output}:{op_type}"),
            op_type: op_type.to_owned(),
            attribute,
        });
    }

    fn add_integers(&mut self, name: &str, dims: &[i64], values: &[i64]) {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add_constant(name, INT64, dims, raw_data);
    }

    fn add_floats(&mut self, name: &str, dims: &[i64], values: &[f32]) {
        self.add_constant(name, FLOAT, dims, float_bytes(values));
    }

    fn add_constant(&mut self, name: &str, data_type: i32, dims: &[i64], raw_data: Vec<u8>) {
        self.constants.push(TensorProto { dims: dims.to_vec(), data_type, name: name.to_owned(), raw_data });
    }
}

fn float_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn int_attribute(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i, r#type: AttributeType::Int.into(), ..Default::default() }
}

/// Makes ScatterND add rows with the same target; by default it keeps one of them.
fn reduce_by_adding() -> AttributeProto {
    AttributeProto {
        name: "reduction".to_owned(),
        s: b"add".to_vec(),
        r#type: AttributeType::String.into(),
        ..Default::default()
    }
}

/// Makes ConstantOfShape fill its output with 1.
fn fill_with_one() -> AttributeProto {
    let one = TensorProto { dims: vec![1], data_type: FLOAT, name: String::new(), raw_data: float_bytes(&[1.0]) };
    AttributeProto {
        name: "value".to_owned(),
        t: Some(one),
        r#type: AttributeType::Tensor.into(),
        ..Default::default()
    }
}

/// One dimension of an input or output.
#[derive(Clone, Copy)]
enum Size {
    Fixed(i64),
    Symbol(&'static str),
}

/// Declares an input or output of two dimensions.
fn value_info(name: &str, elem_type: i32, shape: [Size; 2]) -> ValueInfoProto {
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
