//! The auto-encoder as an ONNX file that any runtime runs.
//!
//! Inputs `x[N, F]` (float) and `edge_index[2, E]` (int64: row of the source, row of the target), output
//! `reconstruction[N, F]`; N and E are symbolic.

mod network;
mod proto;

use prost::Message;

use crate::autoencoder::Weights;
use proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};

/// The operator set that the file asks for.
pub const OPSET: i64 = 18;
/// The version of the file format.
pub const IR_VERSION: i64 = 8;
/// The name of the node matrix.
pub const INPUT: &str = "x";
/// The name of the edge list.
pub const EDGES: &str = "edge_index";
/// The name of the output.
pub const OUTPUT: &str = "reconstruction";

/// The bytes of an ONNX file that reconstructs with `weights`; `manifest` becomes its `metadata_props`.
pub fn export(weights: &Weights, manifest: &[(String, String)]) -> Vec<u8> {
    let entry = |(key, value): &(String, String)| StringStringEntryProto { key: key.clone(), value: value.clone() };
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: "local-detective".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(network::graph_of(weights)),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: manifest.iter().map(entry).collect(),
    }
    .encode_to_vec()
}
