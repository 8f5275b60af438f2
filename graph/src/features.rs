//! The encoder: from a graph to the matrix that a model reads.

use crate::{
    Baselines, Encoded, HostGraph, classic,
    column_values::ColumnValues,
    recipe::{Profile, Recipe},
};

/// Encoded values lie within this many spreads of their centre.
pub const CLAMP: f32 = 8.0;

/// Encodes a graph. The profile `classic` does not use `baselines`.
pub fn encode(recipe: &Recipe, baselines: &Baselines, graph: &HostGraph) -> Encoded {
    match recipe.profile {
        Profile::Classic => classic::encode(graph),
        Profile::Default => encode_default(recipe, baselines, graph),
    }
}

fn encode_default(recipe: &Recipe, baselines: &Baselines, graph: &HostGraph) -> Encoded {
    let values = ColumnValues::new(recipe, graph);
    let n_nodes = graph.nodes().len();
    let mut x = Vec::with_capacity(n_nodes * recipe.width());
    for node in 0..n_nodes {
        for deviation in baselines.deviations(&graph.nodes()[node], values.row(node)) {
            x.push(deviation.unwrap_or(0.0).clamp(-CLAMP, CLAMP));
            x.push(if deviation.is_none() { 1.0 } else { 0.0 });
        }
        let (incoming, outgoing) = graph.degrees(node);
        x.push((incoming as f32).ln_1p());
        x.push((outgoing as f32).ln_1p());
    }
    // Messages go both ways: a waiter tells about its holder and a holder about its waiters.
    let ends = |edge: &schemas::Edge| (i64::from(edge.source), i64::from(edge.target));
    let (forward, backward): (Vec<_>, Vec<_>) = graph.snapshot().edges.iter().map(ends).unzip();
    Encoded {
        nodes: n_nodes,
        width: recipe.width(),
        x,
        sources: [forward.as_slice(), &backward].concat(),
        targets: [backward.as_slice(), &forward].concat(),
        node_of_row: (0..n_nodes).collect(),
    }
}
