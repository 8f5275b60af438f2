//! The input of a model.

/// A graph as a model reads it: the matrix `x[N, F]`, row by row, and the edges as two lists of
/// rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// Number of rows N.
    pub nodes: usize,
    /// Number of columns F.
    pub width: usize,
    /// N * F values, row by row, all finite.
    pub x: Vec<f32>,
    /// The row that sends a message, for each edge.
    pub sources: Vec<i64>,
    /// The row that receives the message, for each edge.
    pub targets: Vec<i64>,
    /// The node of each row, as its index in the graph.
    pub node_of_row: Vec<usize>,
}
