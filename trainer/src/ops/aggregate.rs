//! Neighbourhood aggregation of a graph convolution: multiplication by D^-1/2 (A + I) D^-1/2, with
//! degrees counted at the target (Kipf and Welling, 2017, for directed edges).

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, bail};

use super::values;
use crate::TrainerError;

/// Checked edges of one graph, with the degree normalisation of its nodes.
#[derive(Clone, Debug)]
pub(crate) struct NormalizedEdges {
    inner: Arc<EdgeList>,
}

#[derive(Debug)]
struct EdgeList {
    /// Row of the source and row of the target.
    pairs: Vec<(u32, u32)>,
    /// `(1 + in-degree)^-1/2` of each row.
    inv_sqrt_degrees: Vec<f32>,
}

impl NormalizedEdges {
    /// Edges between `rows` nodes. Parallel edges and self loops count once for each occurrence.
    ///
    /// # Errors
    /// [`TrainerError::InvalidInput`] if the lists differ in length or an index is out of range.
    pub(crate) fn new(rows: usize, sources: &[i64], targets: &[i64]) -> Result<NormalizedEdges, TrainerError> {
        let invalid =
            |found: String| TrainerError::InvalidInput { expected: format!("edges between {rows} rows"), found };
        if sources.len() != targets.len() {
            return Err(invalid(format!("{} sources and {} targets", sources.len(), targets.len())));
        }
        let to_row = |index: i64| u32::try_from(index).ok().filter(|row| (*row as usize) < rows);
        let mut degrees = vec![1.0_f32; rows];
        let mut pairs = Vec::with_capacity(sources.len());
        for (&source, &target) in sources.iter().zip(targets) {
            let pair =
                to_row(source).zip(to_row(target)).ok_or_else(|| invalid(format!("an edge {source} -> {target}")))?;
            degrees[pair.1 as usize] += 1.0;
            pairs.push(pair);
        }
        let inv_sqrt_degrees = degrees.into_iter().map(|degree| degree.sqrt().recip()).collect();
        Ok(NormalizedEdges { inner: Arc::new(EdgeList { pairs, inv_sqrt_degrees }) })
    }
}

/// Aggregation as one operator on a matrix of one row per node.
///
/// It makes one pass over the edges; gather and scatter of candle would copy every message twice.
pub(crate) struct Aggregate {
    edges: Arc<EdgeList>,
    is_transposed: bool,
}

impl Aggregate {
    pub(crate) fn new(edges: &NormalizedEdges) -> Aggregate {
        Aggregate { edges: edges.inner.clone(), is_transposed: false }
    }

    fn apply(&self, input: &[f32], width: usize) -> Vec<f32> {
        let EdgeList { pairs, inv_sqrt_degrees } = &*self.edges;
        let mut output = Vec::with_capacity(input.len());
        for (row, scale) in input.chunks_exact(width).zip(inv_sqrt_degrees) {
            output.extend(row.iter().map(|value| value * scale * scale));
        }
        for &(source, target) in pairs {
            let (from, to) = if self.is_transposed { (target, source) } else { (source, target) };
            let from = from as usize;
            let to = to as usize;
            let weight = inv_sqrt_degrees[from] * inv_sqrt_degrees[to];
            let message = &input[from * width..(from + 1) * width];
            for (sum, value) in output[to * width..(to + 1) * width].iter_mut().zip(message) {
                *sum += value * weight;
            }
        }
        output
    }
}

impl CustomOp1 for Aggregate {
    fn name(&self) -> &'static str {
        "aggregate"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let n_nodes = self.edges.inv_sqrt_degrees.len();
        if rows != n_nodes {
            bail!("expected a matrix of {n_nodes} rows, found {rows}");
        }
        let output = self.apply(values(storage, layout)?, width);
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    /// The operator is linear, so its gradient is its transpose.
    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad_res: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let transposed = Aggregate { edges: self.edges.clone(), is_transposed: !self.is_transposed };
        grad_res.contiguous()?.apply_op1_no_bwd(&transposed).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn dense_matrix(edges: &[(i64, i64)], rows: usize) -> Vec<f32> {
        let mut matrix = vec![0.0; rows * rows];
        let mut degrees = vec![1.0_f32; rows];
        for &(source, target) in edges {
            matrix[target as usize * rows + source as usize] += 1.0;
            degrees[target as usize] += 1.0;
        }
        for row in 0..rows {
            matrix[row * rows + row] += 1.0;
        }
        for (index, value) in matrix.iter_mut().enumerate() {
            *value /= (degrees[index / rows] * degrees[index % rows]).sqrt();
        }
        matrix
    }

    #[test]
    fn aggregation_and_its_gradient_equal_the_product_with_the_dense_matrix() {
        let pairs = [(0, 1), (2, 1), (3, 3), (2, 1), (1, 0)];
        let (sources, targets): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
        let edges = NormalizedEdges::new(5, &sources, &targets).unwrap();
        let matrix = Tensor::from_vec(dense_matrix(&pairs, 5), (5, 5), &Device::Cpu).unwrap();
        let values: Vec<f32> = (0..15).map(|at| (at as f32 * 0.7).sin()).collect();
        let x = candle_core::Var::from_vec(values, (5, 3), &Device::Cpu).unwrap();
        let actual = x.apply_op1(Aggregate::new(&edges)).unwrap();
        let expected = matrix.matmul(&x).unwrap();
        assert_close(&actual, &expected);
        let gradient = |y: &Tensor| y.sqr().unwrap().sum_all().unwrap().backward().unwrap().get(&x).unwrap().clone();
        assert_close(&gradient(&actual), &gradient(&expected));
    }

    #[test]
    fn an_edge_to_a_missing_row_is_an_error() {
        for (source, target) in [(0, 3), (-1, 0), (i64::MAX, 1)] {
            let error = NormalizedEdges::new(3, &[source], &[target]).unwrap_err().to_string();
            assert!(error.contains(&format!("{source} -> {target}")), "{error}");
        }
    }

    fn assert_close(a: &Tensor, b: &Tensor) {
        let a: Vec<f32> = a.flatten_all().unwrap().to_vec1().unwrap();
        let b: Vec<f32> = b.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    }
}
