//! The values of a snapshot, by node and column of a recipe.

use std::collections::HashMap;

use crate::{HostGraph, Recipe};

/// The values of a recipe's columns, N * C, `None` where a node has none.
pub(crate) struct ColumnValues {
    n_columns: usize,
    values: Vec<Option<f32>>,
}

impl ColumnValues {
    /// Reads the columns of the recipe. Other columns of the snapshot are ignored.
    pub(crate) fn new(recipe: &Recipe, graph: &HostGraph) -> Self {
        let n_columns = recipe.columns.len();
        let index_by_name: HashMap<&str, usize> =
            recipe.columns.iter().enumerate().map(|(index, column)| (column.name.as_str(), index)).collect();
        let mut values = vec![None; graph.nodes().len() * n_columns];
        for column in &graph.snapshot().columns {
            let Some(&index) = index_by_name.get(column.name.as_str()) else { continue };
            for (&node, &value) in column.nodes.iter().zip(&column.values) {
                values[node as usize * n_columns + index] = Some(value);
            }
        }
        ColumnValues { n_columns, values }
    }

    /// The values of a node, one per column of the recipe.
    pub(crate) fn row(&self, node: usize) -> &[Option<f32>] {
        &self.values[node * self.n_columns..(node + 1) * self.n_columns]
    }
}
