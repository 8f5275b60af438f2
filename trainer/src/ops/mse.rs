//! Bias and mean squared error as one operator.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};

use super::{column_sums, values, with_values};

/// Adds the bias to each row and returns the mean squared difference from `target`, a scalar.
///
/// Arguments: a matrix `[rows, width]` and a bias `[width]`.
pub(crate) struct BiasMse {
    /// Expected values, `[rows, width]`.
    pub(crate) target: Tensor,
}

impl BiasMse {
    fn differences(&self, input: &[f32], bias: &[f32], target: &[f32]) -> Vec<f32> {
        let width = bias.len().max(1);
        let mut differences = Vec::with_capacity(input.len());
        for (row, target) in input.chunks_exact(width).zip(target.chunks_exact(width)) {
            differences.extend(row.iter().zip(bias).zip(target).map(|((value, bias), target)| value + bias - target));
        }
        differences
    }
}

impl CustomOp2 for BiasMse {
    fn name(&self) -> &'static str {
        "bias-mse"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if input_layout.shape() != self.target.shape() {
            bail!("expected a matrix of {:?}, found {:?}", self.target.shape(), input_layout.shape());
        }
        let input = values(input, input_layout)?;
        let bias = values(bias, bias_layout)?;
        let (target, target_layout) = self.target.storage_and_layout();
        let Storage::Cpu(target) = &*target else { bail!("expected a target in main memory") };
        let differences = self.differences(input, bias, values(target, target_layout)?);
        let sum: f64 = differences.iter().map(|difference| f64::from(difference * difference)).sum();
        Ok((CpuStorage::F32(vec![(sum / differences.len().max(1) as f64) as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        input: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = 2.0 * grad.to_scalar::<f32>()? / input.elem_count().max(1) as f32;
        let bias_values: Vec<f32> = bias.to_vec1()?;
        let mut input_grad =
            with_values(input, &self.target, |input, target| self.differences(input, &bias_values, target))?;
        input_grad.iter_mut().for_each(|value| *value *= scale);
        let bias_grad = Tensor::from_vec(column_sums(&input_grad, bias_values.len()), bias.shape(), bias.device())?;
        Ok((Some(Tensor::from_vec(input_grad, input.shape(), input.device())?), Some(bias_grad)))
    }
}
