//! Adding up neighbours: D^-1/2 (A + I) D^-1/2, the degree counted at the target.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, bail};

use crate::{TrainerError, ops::values};

/// The edges of a graph, checked, and the degrees that follow from them.
#[derive(Clone, Debug)]
pub(crate) struct Edges {
    ends: Arc<Ends>,
}

#[derive(Debug)]
struct Ends {
    /// Row of the source and row of the target.
    pairs: Vec<(u32, u32)>,
    /// (1 + in-degree)^-1/2 of each row.
    dinv: Vec<f32>,
}

impl Edges {
    /// Edges between `rows` rows. Equal edges count as often as they are there, and so do edges from a row to itself.
    pub(crate) fn new(rows: usize, sources: &[i64], targets: &[i64]) -> Result<Edges, TrainerError> {
        let wrong = |found: String| TrainerError::Encoded { expected: format!("edges between {rows} rows"), found };
        if sources.len() != targets.len() {
            return Err(wrong(format!("{} sources and {} targets", sources.len(), targets.len())));
        }
        let row = |at: i64| u32::try_from(at).ok().filter(|at| (*at as usize) < rows);
        let mut degrees = vec![1.0_f32; rows];
        let mut pairs = Vec::with_capacity(sources.len());
        for (&source, &target) in sources.iter().zip(targets) {
            let ends = row(source).zip(row(target)).ok_or_else(|| wrong(format!("an edge {source} -> {target}")))?;
            degrees[ends.1 as usize] += 1.0;
            pairs.push(ends);
        }
        let dinv = degrees.into_iter().map(|degree| degree.sqrt().recip()).collect();
        Ok(Edges { ends: Arc::new(Ends { pairs, dinv }) })
    }
}

/// The operator. In one pass and without the library's gather and scatter, which copy every message twice.
pub(crate) struct Aggregate {
    ends: Arc<Ends>,
    is_transposed: bool,
}

impl Aggregate {
    pub(crate) fn over(edges: &Edges) -> Aggregate {
        Aggregate { ends: edges.ends.clone(), is_transposed: false }
    }

    fn apply(&self, input: &[f32], width: usize) -> Vec<f32> {
        let Ends { pairs, dinv } = &*self.ends;
        let mut output = Vec::with_capacity(input.len());
        for (row, dinv) in input.chunks_exact(width).zip(dinv) {
            output.extend(row.iter().map(|value| value * dinv * dinv));
        }
        for &(source, target) in pairs {
            let (from, to) = if self.is_transposed { (target, source) } else { (source, target) };
            let (from, to) = (from as usize, to as usize);
            let weight = dinv[from] * dinv[to];
            let sent = &input[from * width..(from + 1) * width];
            for (sum, value) in output[to * width..(to + 1) * width].iter_mut().zip(sent) {
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
        if rows != self.ends.dinv.len() {
            bail!("expected a matrix of {} rows, found {rows}", self.ends.dinv.len());
        }
        let output = self.apply(values(storage, layout)?, width);
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    /// The operator is linear: its gradient is its transpose.
    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad_res: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let transposed = Aggregate { ends: self.ends.clone(), is_transposed: !self.is_transposed };
        grad_res.contiguous()?.apply_op1_no_bwd(&transposed).map(Some)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::Device;

    fn dense(edges: &[(i64, i64)], rows: usize) -> Vec<f32> {
        let mut matrix = vec![0.0; rows * rows];
        let mut degrees = vec![1.0_f32; rows];
        for &(source, target) in edges {
            matrix[target as usize * rows + source as usize] += 1.0;
            degrees[target as usize] += 1.0;
        }
        for at in 0..rows {
            matrix[at * rows + at] += 1.0;
        }
        for (at, value) in matrix.iter_mut().enumerate() {
            *value /= (degrees[at / rows] * degrees[at % rows]).sqrt();
        }
        matrix
    }

    #[test]
    fn adding_up_neighbours_is_the_product_with_the_normalised_matrix_and_its_gradient_with_the_transpose() {
        let pairs = [(0, 1), (2, 1), (3, 3), (2, 1), (1, 0)];
        let (sources, targets): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
        let edges = Edges::new(5, &sources, &targets).unwrap();
        let matrix = Tensor::from_vec(dense(&pairs, 5), (5, 5), &Device::Cpu).unwrap();
        let values: Vec<f32> = (0..15).map(|at| (at as f32 * 0.7).sin()).collect();
        let x = candle_core::Var::from_vec(values, (5, 3), &Device::Cpu).unwrap();
        let ours = x.apply_op1(Aggregate::over(&edges)).unwrap();
        let theirs = matrix.matmul(&x).unwrap();
        assert_close(&ours, &theirs);
        let gradient = |y: &Tensor| y.sqr().unwrap().sum_all().unwrap().backward().unwrap().get(&x).unwrap().clone();
        assert_close(&gradient(&ours), &gradient(&theirs));
    }

    #[test]
    fn an_edge_to_a_row_that_is_not_there_is_refused() {
        for (source, target) in [(0, 3), (-1, 0), (i64::MAX, 1)] {
            let error = Edges::new(3, &[source], &[target]).unwrap_err().to_string();
            assert!(error.contains(&format!("{source} -> {target}")), "{error}");
        }
    }

    fn assert_close(a: &Tensor, b: &Tensor) {
        let (a, b): (Vec<f32>, Vec<f32>) =
            (a.flatten_all().unwrap().to_vec1().unwrap(), b.flatten_all().unwrap().to_vec1().unwrap());
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    }
}
