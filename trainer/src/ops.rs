//! What follows a product in a layer, each in one pass over its values.
//!
//! Made of the library's own operators, a step would copy every matrix several times and work out gradients that nobody
//! asks for.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};

/// Adds the bias to every row, makes what is negative 0, and drops what `mask` drops.
pub(crate) struct Rectify {
    /// For each value what it is multiplied with, if values are dropped.
    pub(crate) mask: Option<Vec<f32>>,
}

impl CustomOp2 for Rectify {
    fn name(&self) -> &'static str {
        "rectify"
    }

    fn cpu_fwd(
        &self,
        sums: &CpuStorage,
        sums_at: &Layout,
        bias: &CpuStorage,
        bias_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (sums, bias) = (values(sums, sums_at)?, values(bias, bias_at)?);
        let mut output = Vec::with_capacity(sums.len());
        for row in sums.chunks_exact(bias.len().max(1)) {
            output.extend(row.iter().zip(bias).map(|(value, bias)| (value + bias).max(0.0)));
        }
        for (value, kept) in output.iter_mut().zip(self.mask.iter().flatten()) {
            *value *= kept;
        }
        Ok((CpuStorage::F32(output), sums_at.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, bias: &Tensor, res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        // What came out as 0 was negative or dropped: either way nothing flows back.
        let mut back = Vec::with_capacity(grad.elem_count());
        with_values(res, grad, |outputs, grads| {
            back.extend(outputs.iter().zip(grads).map(|(output, grad)| if *output > 0.0 { *grad } else { 0.0 }));
        })?;
        for (value, kept) in back.iter_mut().zip(self.mask.iter().flatten()) {
            *value *= kept;
        }
        let of_bias = Tensor::from_vec(column_sums(&back, bias.elem_count()), bias.shape(), bias.device())?;
        Ok((Some(Tensor::from_vec(back, grad.shape(), grad.device())?), Some(of_bias)))
    }
}

/// Adds the bias to every row and takes the mean of the squared differences from `target`.
pub(crate) struct SquaredError {
    pub(crate) target: Tensor,
}

impl SquaredError {
    fn differences(&self, sums: &[f32], bias: &[f32], target: &[f32]) -> Vec<f32> {
        let width = bias.len().max(1);
        let mut differences = Vec::with_capacity(sums.len());
        for (row, target) in sums.chunks_exact(width).zip(target.chunks_exact(width)) {
            differences.extend(row.iter().zip(bias).zip(target).map(|((value, bias), target)| value + bias - target));
        }
        differences
    }
}

impl CustomOp2 for SquaredError {
    fn name(&self) -> &'static str {
        "squared-error"
    }

    fn cpu_fwd(
        &self,
        sums: &CpuStorage,
        sums_at: &Layout,
        bias: &CpuStorage,
        bias_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if sums_at.shape() != self.target.shape() {
            bail!("expected a matrix of {:?}, found {:?}", self.target.shape(), sums_at.shape());
        }
        let (sums, bias) = (values(sums, sums_at)?, values(bias, bias_at)?);
        let (target, target_at) = self.target.storage_and_layout();
        let Storage::Cpu(target) = &*target else { bail!("expected data in main memory") };
        let differences = self.differences(sums, bias, values(target, target_at)?);
        let sum: f64 = differences.iter().map(|difference| f64::from(difference * difference)).sum();
        Ok((CpuStorage::F32(vec![(sum / differences.len().max(1) as f64) as f32]), Shape::from(())))
    }

    fn bwd(&self, sums: &Tensor, bias: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = 2.0 * grad.to_scalar::<f32>()? / sums.elem_count().max(1) as f32;
        let bias_values: Vec<f32> = bias.to_vec1()?;
        let mut back = Vec::new();
        with_values(sums, &self.target, |sums, target| back = self.differences(sums, &bias_values, target))?;
        back.iter_mut().for_each(|value| *value *= scale);
        let of_bias = Tensor::from_vec(column_sums(&back, bias_values.len()), bias.shape(), bias.device())?;
        Ok((Some(Tensor::from_vec(back, sums.shape(), sums.device())?), Some(of_bias)))
    }
}

fn column_sums(values: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    for row in values.chunks_exact(width.max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums
}

/// The values of a tensor that is stored row by row.
pub(crate) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("expected a tensor stored row by row") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// What `work` makes of the values of two tensors, row by row.
pub(crate) fn with_values<T>(a: &Tensor, b: &Tensor, work: impl FnOnce(&[f32], &[f32]) -> T) -> Result<T> {
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    let ((a, a_at), (b, b_at)) = (a.storage_and_layout(), b.storage_and_layout());
    let (Storage::Cpu(a), Storage::Cpu(b)) = (&*a, &*b) else { bail!("expected tensors in main memory") };
    Ok(work(values(a, a_at)?, values(b, b_at)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::{Product, TimesData};
    use candle_core::{Device, Var};

    fn matrix(rows: usize, columns: usize, seed: f32) -> Var {
        let values: Vec<f32> = (0..rows * columns).map(|at| (at as f32 * 1.7 + seed).sin()).collect();
        Var::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    }

    /// Values and gradients are those of the same thing made of the library's own operators.
    fn check(variables: &[&Var], ours: &Tensor, theirs: &Tensor) {
        assert_close(ours, theirs);
        let gradients = |output: &Tensor| output.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let (ours, theirs) = (gradients(ours), gradients(theirs));
        for variable in variables {
            assert_close(ours.get(variable).unwrap(), theirs.get(variable).unwrap());
        }
    }

    fn assert_close(a: &Tensor, b: &Tensor) {
        assert_eq!(a.dims(), b.dims());
        let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() < 1e-5, "{a} {b}");
    }

    #[test]
    fn a_product_is_that_of_the_library_whether_with_data_or_not() {
        let (left, right) = (matrix(7, 5, 0.0), matrix(5, 3, 1.0));
        let ours = right.apply_op1(TimesData { left: left.as_tensor().clone() }).unwrap();
        check(&[&right], &ours, &left.matmul(&right).unwrap());
        let ours = left.apply_op2(&right, Product).unwrap();
        check(&[&left, &right], &ours, &left.matmul(&right).unwrap());
        assert!(right.apply_op2(&left, Product).is_err());
        assert!(left.apply_op1(TimesData { left: left.as_tensor().clone() }).is_err());
    }

    #[test]
    fn rectifying_adds_the_bias_cuts_what_is_negative_and_drops() {
        let (sums, bias) = (matrix(6, 4, 0.0), matrix(1, 4, 2.0));
        let bias = Var::from_tensor(&bias.flatten_all().unwrap()).unwrap();
        let plain = sums.broadcast_add(&bias).unwrap().relu().unwrap();
        let ours = sums.apply_op2(&bias, Rectify { mask: None }).unwrap();
        check(&[&sums, &bias], &ours, &plain);
        let mask: Vec<f32> = (0..24).map(|at| if at % 3 == 0 { 0.0 } else { 1.5 }).collect();
        let masked = (plain * Tensor::from_slice(&mask, (6, 4), &Device::Cpu).unwrap()).unwrap();
        let ours = sums.apply_op2(&bias, Rectify { mask: Some(mask) }).unwrap();
        check(&[&sums, &bias], &ours, &masked);
    }

    #[test]
    fn the_squared_error_is_that_of_sums_and_bias() {
        let (sums, bias, target) = (matrix(6, 4, 0.0), matrix(1, 4, 2.0), matrix(6, 4, 3.0));
        let bias = Var::from_tensor(&bias.flatten_all().unwrap()).unwrap();
        let theirs = candle_nn::loss::mse(&sums.broadcast_add(&bias).unwrap(), &target).unwrap();
        let ours = sums.apply_op2(&bias, SquaredError { target: target.as_tensor().clone() }).unwrap();
        check(&[&sums, &bias], &ours, &theirs);
        assert!(bias.apply_op2(&bias, SquaredError { target: target.as_tensor().clone() }).is_err());
    }
}
