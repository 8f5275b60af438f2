//! Bias, ReLU and dropout as one operator.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::{column_sums, values, with_values};

/// Adds the bias to each row, applies ReLU, and multiplies with the dropout mask.
///
/// Arguments: a matrix `[rows, width]` and a bias `[width]`.
pub(crate) struct BiasReluDropout {
    /// One factor for each value of the matrix; `None`: no dropout.
    pub(crate) mask: Option<Vec<f32>>,
}

impl CustomOp2 for BiasReluDropout {
    fn name(&self) -> &'static str {
        "bias-relu-dropout"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let input = values(input, input_layout)?;
        let bias = values(bias, bias_layout)?;
        let mut output = Vec::with_capacity(input.len());
        for row in input.chunks_exact(bias.len().max(1)) {
            output.extend(row.iter().zip(bias).map(|(value, bias)| (value + bias).max(0.0)));
        }
        for (value, factor) in output.iter_mut().zip(self.mask.iter().flatten()) {
            *value *= factor;
        }
        Ok((CpuStorage::F32(output), input_layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, bias: &Tensor, res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        // An output of 0 was negative before ReLU or was dropped. Its gradient is 0 in both cases.
        let mut input_grad = Vec::with_capacity(grad.elem_count());
        with_values(res, grad, |outputs, grads| {
            input_grad.extend(outputs.iter().zip(grads).map(|(output, grad)| if *output > 0.0 { *grad } else { 0.0 }));
        })?;
        for (value, factor) in input_grad.iter_mut().zip(self.mask.iter().flatten()) {
            *value *= factor;
        }
        let bias_grad = Tensor::from_vec(column_sums(&input_grad, bias.elem_count()), bias.shape(), bias.device())?;
        Ok((Some(Tensor::from_vec(input_grad, grad.shape(), grad.device())?), Some(bias_grad)))
    }
}
