//! The graph auto-encoder: four graph convolutions of the widths F-32-16-32-F.
//!
//! Encoder: convolution, ReLU, dropout, convolution, ReLU. Decoder: convolution, ReLU, dropout,
//! convolution.

mod weights;

pub use weights::{Layer, Weights};

use candle_core::{Device, Tensor, Var};
use graph::Encoded;
use rand::{Rng, rngs::SmallRng};

use crate::{
    TrainerError,
    ops::{Aggregate, BiasMse, BiasReluDropout, MatMul, MatMulConst, NormalizedEdges},
};
use weights::aggregates_first;

/// Output widths of the hidden layers.
const HIDDEN: [usize; 3] = [32, 16, 32];
/// Whether dropout follows each layer while fitting.
const HAS_DROPOUT: [bool; 4] = [true, false, true, false];
/// Probability that dropout sets a value to 0.
const DROPOUT: f32 = 0.1;

/// One encoded graph as tensors: an input of the model.
#[derive(Clone, Debug)]
pub struct ModelInput {
    /// Node features, `[N, F]`.
    features: Tensor,
    /// The constant factor of the first layer's product: `features`, aggregated already if that
    /// layer aggregates first. It is computed once because fitting does not change it.
    first_factor: Tensor,
    edges: NormalizedEdges,
}

impl ModelInput {
    /// Checks an encoded graph and converts it to tensors.
    ///
    /// # Errors
    /// [`TrainerError::InvalidInput`] if the graph has no rows or columns, `x` does not have one
    /// value for each row and column, or an edge refers to a missing row.
    pub fn new(encoded: &Encoded) -> Result<ModelInput, TrainerError> {
        let rows = encoded.nodes;
        let width = encoded.width;
        if rows == 0 || width == 0 || encoded.x.len() != rows * width {
            let expected = "at least one row, at least one column and one value for each".to_owned();
            let found = format!("{rows} rows, {width} columns and {} values", encoded.x.len());
            return Err(TrainerError::InvalidInput { expected, found });
        }
        let features = Tensor::from_slice(&encoded.x, (rows, width), &Device::Cpu)?;
        let edges = NormalizedEdges::new(rows, &encoded.sources, &encoded.targets)?;
        let first_factor =
            if aggregates_first(width, HIDDEN[0]) { aggregate(&features, &edges)? } else { features.clone() };
        Ok(ModelInput { features, first_factor, edges })
    }
}

/// The model with trainable variables, for fitting and for reconstruction.
#[derive(Debug)]
pub struct Autoencoder {
    layers: Vec<GraphConvolution>,
}

#[derive(Debug)]
struct GraphConvolution {
    weight: Var,
    bias: Var,
    aggregates_first: bool,
    has_relu: bool,
}

impl Autoencoder {
    /// Creates a model with these weights.
    ///
    /// # Errors
    /// If the length of a layer's lists does not match its widths.
    pub fn new(weights: &Weights) -> Result<Autoencoder, TrainerError> {
        let convolution = |layer: &Layer| -> Result<_, TrainerError> {
            Ok(GraphConvolution {
                weight: Var::from_slice(&layer.weight, (layer.inputs, layer.outputs), &Device::Cpu)?,
                bias: Var::from_slice(&layer.bias, layer.outputs, &Device::Cpu)?,
                aggregates_first: layer.aggregates_first(),
                has_relu: layer.has_relu,
            })
        };
        Ok(Autoencoder { layers: weights.layers.iter().map(convolution).collect::<Result<_, _>>()? })
    }

    /// The variables that the optimizer changes.
    pub(crate) fn variables(&self) -> Vec<Var> {
        self.layers.iter().flat_map(|layer| [layer.weight.clone(), layer.bias.clone()]).collect()
    }

    /// Returns a copy of the current weights.
    ///
    /// # Errors
    /// If candle fails.
    pub fn weights(&self) -> Result<Weights, TrainerError> {
        let layer = |layer: &GraphConvolution| -> Result<_, TrainerError> {
            let (inputs, outputs) = layer.weight.dims2()?;
            Ok(Layer {
                inputs,
                outputs,
                weight: layer.weight.flatten_all()?.to_vec1()?,
                bias: layer.bias.to_vec1()?,
                has_relu: layer.has_relu,
            })
        };
        Ok(Weights { layers: self.layers.iter().map(layer).collect::<Result<_, _>>()? })
    }

    /// Reconstructs the features of a graph: N * F values in row-major order.
    ///
    /// # Errors
    /// If the graph and the model differ in width.
    pub fn reconstruct(&self, input: &ModelInput) -> Result<Vec<f32>, TrainerError> {
        let (output, bias) = self.forward(input, None)?;
        Ok(output.broadcast_add(bias)?.flatten_all()?.to_vec1()?)
    }

    /// Mean squared reconstruction error of a graph, with dropout: a scalar to minimize.
    pub(crate) fn loss(&self, input: &ModelInput, dropout: &mut SmallRng) -> Result<Tensor, TrainerError> {
        let (output, bias) = self.forward(input, Some(dropout))?;
        Ok(output.apply_op2(bias, BiasMse { target: input.features.clone() })?)
    }

    /// Runs all layers. Returns the output before the last layer's bias is added, and that bias.
    fn forward(
        &self,
        input: &ModelInput,
        mut dropout: Option<&mut SmallRng>,
    ) -> Result<(Tensor, &Tensor), TrainerError> {
        let mut hidden: Option<Tensor> = None;
        for (index, layer) in self.layers.iter().enumerate() {
            let output = match &hidden {
                None => layer.propagate_first(&input.first_factor, &input.edges)?,
                Some(hidden) => layer.propagate(hidden, &input.edges)?,
            };
            if !layer.has_relu {
                return Ok((output, &layer.bias));
            }
            let random = dropout.as_deref_mut().filter(|_| HAS_DROPOUT[index % HAS_DROPOUT.len()]);
            let mask = random.map(|random| dropout_mask(output.elem_count(), random));
            hidden = Some(output.apply_op2(&layer.bias, BiasReluDropout { mask })?);
        }
        Err(TrainerError::InvalidInput { expected: "a last layer without ReLU".to_owned(), found: "none".to_owned() })
    }
}

impl GraphConvolution {
    /// Aggregates neighbours and multiplies with the weights, without bias and ReLU.
    fn propagate(&self, input: &Tensor, edges: &NormalizedEdges) -> Result<Tensor, TrainerError> {
        Ok(if self.aggregates_first {
            aggregate(input, edges)?.apply_op2(&self.weight, MatMul)?
        } else {
            aggregate(&input.apply_op2(&self.weight, MatMul)?, edges)?
        })
    }

    /// [`GraphConvolution::propagate`] for the first layer, from [`ModelInput::first_factor`].
    fn propagate_first(&self, first_factor: &Tensor, edges: &NormalizedEdges) -> Result<Tensor, TrainerError> {
        let product = self.weight.apply_op1(MatMulConst { left: first_factor.clone() })?;
        Ok(if self.aggregates_first { product } else { aggregate(&product, edges)? })
    }
}

fn aggregate(input: &Tensor, edges: &NormalizedEdges) -> candle_core::Result<Tensor> {
    input.apply_op1(Aggregate::new(edges))
}

/// Inverted dropout from a seeded generator. candle's generator cannot be seeded on a CPU, and
/// training must be reproducible.
fn dropout_mask(length: usize, random: &mut SmallRng) -> Vec<f32> {
    let scale = 1.0 / (1.0 - DROPOUT);
    (0..length).map(|_| if random.random::<f32>() < DROPOUT { 0.0 } else { scale }).collect()
}
