//! The one encoder: from a graph to the matrix that a model reads.

use std::collections::HashMap;

use crate::{HostGraph, Scaler, classic, recipe::Profile, recipe::Recipe};

/// An encoded value is at most this many spreads from its centre.
pub const CLAMP: f32 = 8.0;

/// What a model reads: `x[N, F]` row by row and the edges as two lists of row numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// Rows N.
    pub nodes: usize,
    /// Columns F.
    pub width: usize,
    /// N * F values, row by row, all finite.
    pub x: Vec<f32>,
    /// The row that a message comes from, per edge.
    pub sources: Vec<i64>,
    /// The row that a message goes to, per edge.
    pub targets: Vec<i64>,
    /// The graph's node of each row.
    pub node_of_row: Vec<usize>,
}

/// Encodes a graph. `scaler` is not used by `classic`.
pub fn encode(recipe: &Recipe, scaler: &Scaler, graph: &HostGraph) -> Encoded {
    match recipe.profile {
        Profile::Classic => classic::encode(graph),
        Profile::Default => encode_default(recipe, scaler, graph),
    }
}

fn encode_default(recipe: &Recipe, scaler: &Scaler, graph: &HostGraph) -> Encoded {
    let values = ColumnValues::of(recipe, graph);
    let mut x = Vec::with_capacity(graph.nodes().len() * recipe.width());
    for at in 0..graph.nodes().len() {
        for deviation in deviations(scaler, graph, at, values.row(at)) {
            x.push(deviation.unwrap_or(0.0).clamp(-CLAMP, CLAMP));
            x.push(if deviation.is_none() { 1.0 } else { 0.0 });
        }
        let (incoming, outgoing) = graph.degrees(at);
        x.push((incoming as f32).ln_1p());
        x.push((outgoing as f32).ln_1p());
    }
    // Messages go both ways: who waits and who is waited for each say something of the other.
    let ends = |edge: &schemas::Edge| (i64::from(edge.source), i64::from(edge.target));
    let (forth, back): (Vec<_>, Vec<_>) = graph.snapshot().edges.iter().map(ends).unzip();
    Encoded {
        nodes: graph.nodes().len(),
        width: recipe.width(),
        x,
        sources: [forth.as_slice(), &back].concat(),
        targets: [back.as_slice(), &forth].concat(),
        node_of_row: (0..graph.nodes().len()).collect(),
    }
}

/// How far each value of a node is from what is normal for its role, in spreads.
pub(crate) fn deviations(
    scaler: &Scaler,
    graph: &HostGraph,
    at: usize,
    row: &[Option<f32>],
) -> impl Iterator<Item = Option<f32>> {
    let normal = scaler.normal(&graph.nodes()[at]);
    row.iter().zip(scaler.scales()).enumerate().map(move |(column, (raw, scale))| {
        let transformed = scale.transform((*raw)?);
        match normal.and_then(|normal| Some((*normal.centre.get(column)?, *normal.spread.get(column)?))) {
            Some((centre, spread)) => Some((transformed - centre) / spread),
            // A kind without a baseline has nothing but the floor to compare with.
            None => Some(transformed / scale.floor()),
        }
    })
}

/// The snapshot's values of a recipe's columns, N * C, `None` where there is none.
pub(crate) struct ColumnValues {
    n_columns: usize,
    values: Vec<Option<f32>>,
}

impl ColumnValues {
    /// Columns that the recipe does not know are ignored, absent ones have no value.
    pub(crate) fn of(recipe: &Recipe, graph: &HostGraph) -> Self {
        let n_columns = recipe.columns.len();
        let place: HashMap<&str, usize> =
            recipe.columns.iter().enumerate().map(|(at, column)| (column.name.as_str(), at)).collect();
        let mut values = vec![None; graph.nodes().len() * n_columns];
        for column in &graph.snapshot().columns {
            let Some(&at) = place.get(column.name.as_str()) else { continue };
            for (&node, &value) in column.nodes.iter().zip(&column.values) {
                values[node as usize * n_columns + at] = Some(value);
            }
        }
        ColumnValues { n_columns, values }
    }

    /// The values of a node, one per column of the recipe.
    pub(crate) fn row(&self, node: usize) -> &[Option<f32>] {
        &self.values[node * self.n_columns..(node + 1) * self.n_columns]
    }
}
