//! Exports the auto-encoder as an ONNX file.
//!
//! Inputs: `x[N, F]` (float) and `edge_index[2, E]` (int64; first row sources, second row targets).
//! Output: `reconstruction[N, F]`. N and E are symbolic, so one file serves graphs of any size.

mod network;
mod proto;

use prost::Message;

use crate::autoencoder::Weights;
use proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};

/// Operator set version of the file.
pub const OPSET: i64 = 18;
/// Version of the ONNX file format.
pub const IR_VERSION: i64 = 8;
/// Name of the input with the node features.
pub const INPUT: &str = "x";
/// Name of the input with the edges.
pub const EDGES: &str = "edge_index";
/// Name of the output.
pub const OUTPUT: &str = "reconstruction";

/// Returns the bytes of an ONNX file with these weights; `metadata` becomes its `metadata_props`.
pub fn export(weights: &Weights, metadata: &[(String, String)]) -> Vec<u8> {
    let to_entry = |(key, value): &(String, String)| StringStringEntryProto { key: key.clone(), value: value.clone() };
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: "local-detective".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(network::build_graph(weights)),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: metadata.iter().map(to_entry).collect(),
    }
    .encode_to_vec()
}
