//! Operators of the auto-encoder, written for small matrices on one core.
//!
//! Each makes one pass over its values. The same layers built from candle's operators would copy
//! every matrix several times and compute gradients that are not used.

mod aggregate;
mod bias_relu;
mod matmul;
mod mse;

pub(crate) use aggregate::{Aggregate, NormalizedEdges};
pub(crate) use bias_relu::BiasReluDropout;
pub(crate) use matmul::{MatMul, MatMulConst};
pub(crate) use mse::BiasMse;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// Values of a contiguous tensor, in row-major order.
///
/// # Errors
/// If the tensor is not contiguous or not of type `f32`.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("expected a contiguous tensor") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Calls `f` with the values of two tensors, in row-major order.
///
/// # Errors
/// If a tensor is not in main memory or not of type `f32`.
fn with_values<T>(a: &Tensor, b: &Tensor, f: impl FnOnce(&[f32], &[f32]) -> T) -> Result<T> {
    let a = a.contiguous()?;
    let b = b.contiguous()?;
    let (a_storage, a_layout) = a.storage_and_layout();
    let (b_storage, b_layout) = b.storage_and_layout();
    let (Storage::Cpu(a_data), Storage::Cpu(b_data)) = (&*a_storage, &*b_storage) else {
        bail!("expected tensors in main memory")
    };
    Ok(f(values(a_data, a_layout)?, values(b_data, b_layout)?))
}

/// Sum of each column of a matrix of `width` columns: the gradient of a bias.
fn column_sums(values: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    for row in values.chunks_exact(width.max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn matrix(rows: usize, columns: usize, seed: f32) -> Var {
        let values: Vec<f32> = (0..rows * columns).map(|at| (at as f32 * 1.7 + seed).sin()).collect();
        Var::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    }

    /// Compares values and gradients with those of candle's operators.
    fn check(variables: &[&Var], actual: &Tensor, expected: &Tensor) {
        assert_close(actual, expected);
        let gradients = |output: &Tensor| output.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let actual = gradients(actual);
        let expected = gradients(expected);
        for variable in variables {
            assert_close(actual.get(variable).unwrap(), expected.get(variable).unwrap());
        }
    }

    fn assert_close(a: &Tensor, b: &Tensor) {
        assert_eq!(a.dims(), b.dims());
        let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() < 1e-5, "{a} {b}");
    }

    #[test]
    fn both_matrix_products_equal_that_of_candle() {
        let left = matrix(7, 5, 0.0);
        let right = matrix(5, 3, 1.0);
        let actual = right.apply_op1(MatMulConst { left: left.as_tensor().clone() }).unwrap();
        check(&[&right], &actual, &left.matmul(&right).unwrap());
        let actual = left.apply_op2(&right, MatMul).unwrap();
        check(&[&left, &right], &actual, &left.matmul(&right).unwrap());
        assert!(right.apply_op2(&left, MatMul).is_err());
        assert!(left.apply_op1(MatMulConst { left: left.as_tensor().clone() }).is_err());
    }

    #[test]
    fn bias_relu_and_dropout_equal_those_of_candle() {
        let sums = matrix(6, 4, 0.0);
        let bias = matrix(1, 4, 2.0);
        let bias = Var::from_tensor(&bias.flatten_all().unwrap()).unwrap();
        let plain = sums.broadcast_add(&bias).unwrap().relu().unwrap();
        let actual = sums.apply_op2(&bias, BiasReluDropout { mask: None }).unwrap();
        check(&[&sums, &bias], &actual, &plain);
        let mask: Vec<f32> = (0..24).map(|at| if at % 3 == 0 { 0.0 } else { 1.5 }).collect();
        let masked = (plain * Tensor::from_slice(&mask, (6, 4), &Device::Cpu).unwrap()).unwrap();
        let actual = sums.apply_op2(&bias, BiasReluDropout { mask: Some(mask) }).unwrap();
        check(&[&sums, &bias], &actual, &masked);
    }

    #[test]
    fn the_squared_error_equals_that_of_candle() {
        let sums = matrix(6, 4, 0.0);
        let bias = matrix(1, 4, 2.0);
        let target = matrix(6, 4, 3.0);
        let bias = Var::from_tensor(&bias.flatten_all().unwrap()).unwrap();
        let expected = candle_nn::loss::mse(&sums.broadcast_add(&bias).unwrap(), &target).unwrap();
        let actual = sums.apply_op2(&bias, BiasMse { target: target.as_tensor().clone() }).unwrap();
        check(&[&sums, &bias], &actual, &expected);
        assert!(bias.apply_op2(&bias, BiasMse { target: target.as_tensor().clone() }).is_err());
    }
}
