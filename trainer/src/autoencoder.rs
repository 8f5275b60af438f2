//! The graph auto-encoder: four graph convolutions, F-32-16-32-F.
//!
//! Encoder: convolution, ReLU, dropout, convolution, ReLU. Decoder: convolution, ReLU, dropout, convolution.

use candle_core::{Device, Tensor, Var};
use graph::Encoded;
use rand::{Rng, rngs::SmallRng};

use crate::{
    TrainerError,
    aggregate::{Aggregate, Edges},
    ops::{Rectify, SquaredError},
    product::{Product, TimesData},
};

/// Widths between the layers.
const HIDDEN: [usize; 3] = [32, 16, 32];
/// Layers, by place, after which values are dropped while fitting.
const DROPS_AFTER: [bool; 4] = [true, false, true, false];
const DROPOUT: f32 = 0.1;

/// The trained numbers of a model, in the order of its layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// First the encoder's, then the decoder's.
    pub layers: Vec<Layer>,
}

/// One graph convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Width of what it reads.
    pub inputs: usize,
    /// Width of what it makes.
    pub outputs: usize,
    /// `inputs` rows of `outputs` values.
    pub weight: Vec<f32>,
    /// `outputs` values.
    pub bias: Vec<f32>,
    /// Whether negative results become 0.
    pub is_rectified: bool,
}

impl Weights {
    /// Glorot-uniform weights and zero biases for a model of width F.
    pub fn random(width: usize, random: &mut impl Rng) -> Weights {
        let widths = [width, HIDDEN[0], HIDDEN[1], HIDDEN[2], width];
        let last = widths.len() - 2;
        let layer = |(at, ends): (usize, &[usize])| {
            let (inputs, outputs) = (ends[0], ends[1]);
            let limit = (6.0 / (inputs + outputs) as f32).sqrt();
            let weight = (0..inputs * outputs).map(|_| random.random_range(-limit..=limit)).collect();
            Layer { inputs, outputs, weight, bias: vec![0.0; outputs], is_rectified: at != last }
        };
        Weights { layers: widths.windows(2).enumerate().map(layer).collect() }
    }

    /// Width F of what the model reads and makes.
    pub fn width(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs)
    }

    /// How many numbers were trained.
    pub fn n_parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.weight.len() + layer.bias.len()).sum()
    }
}

impl Layer {
    /// Whether neighbours are added up before the product: on the narrow side there is less to add, and the result is
    /// the same.
    pub fn aggregates_first(&self) -> bool {
        aggregates_first(self.inputs, self.outputs)
    }
}

fn aggregates_first(inputs: usize, outputs: usize) -> bool {
    inputs < outputs
}

/// A graph as the model reads it.
#[derive(Clone, Debug)]
pub struct Example {
    x: Tensor,
    /// What the first layer multiplies: `x`, or what is added up of it where the layer does that first. Either way it
    /// does not change while a model is fitted.
    first: Tensor,
    edges: Edges,
}

impl Example {
    /// Checks an encoded graph: at least one row, `x` as long as its rows and columns say, edges between its rows.
    ///
    /// # Errors
    /// [`TrainerError::Encoded`] says what does not fit.
    pub fn new(encoded: &Encoded) -> Result<Example, TrainerError> {
        let (rows, width) = (encoded.nodes, encoded.width);
        if rows == 0 || width == 0 || encoded.x.len() != rows * width {
            let expected = "at least one row, at least one column and a value for each".to_owned();
            let found = format!("{rows} rows, {width} columns and {} values", encoded.x.len());
            return Err(TrainerError::Encoded { expected, found });
        }
        let x = Tensor::from_slice(&encoded.x, (rows, width), &Device::Cpu)?;
        let edges = Edges::new(rows, &encoded.sources, &encoded.targets)?;
        let first = if aggregates_first(width, HIDDEN[0]) { aggregate(&x, &edges)? } else { x.clone() };
        Ok(Example { x, first, edges })
    }
}

/// The model while it is fitted or asked.
#[derive(Debug)]
pub struct Autoencoder {
    layers: Vec<Convolution>,
}

#[derive(Debug)]
struct Convolution {
    weight: Var,
    bias: Var,
    aggregates_first: bool,
    is_rectified: bool,
}

impl Autoencoder {
    /// A model of these weights.
    ///
    /// # Errors
    /// If a layer's lists do not have the lengths that its widths ask for.
    pub fn new(weights: &Weights) -> Result<Autoencoder, TrainerError> {
        let convolution = |layer: &Layer| -> Result<_, TrainerError> {
            Ok(Convolution {
                weight: Var::from_slice(&layer.weight, (layer.inputs, layer.outputs), &Device::Cpu)?,
                bias: Var::from_slice(&layer.bias, layer.outputs, &Device::Cpu)?,
                aggregates_first: layer.aggregates_first(),
                is_rectified: layer.is_rectified,
            })
        };
        Ok(Autoencoder { layers: weights.layers.iter().map(convolution).collect::<Result<_, _>>()? })
    }

    /// What is fitted.
    pub(crate) fn variables(&self) -> Vec<Var> {
        self.layers.iter().flat_map(|layer| [layer.weight.clone(), layer.bias.clone()]).collect()
    }

    /// The weights as they are now.
    ///
    /// # Errors
    /// Only if the library that computes fails.
    pub fn weights(&self) -> Result<Weights, TrainerError> {
        let layer = |layer: &Convolution| -> Result<_, TrainerError> {
            let (inputs, outputs) = layer.weight.dims2()?;
            Ok(Layer {
                inputs,
                outputs,
                weight: layer.weight.flatten_all()?.to_vec1()?,
                bias: layer.bias.to_vec1()?,
                is_rectified: layer.is_rectified,
            })
        };
        Ok(Weights { layers: self.layers.iter().map(layer).collect::<Result<_, _>>()? })
    }

    /// The reconstruction of a graph: N * F values, row by row.
    ///
    /// # Errors
    /// If the graph has another width than the model.
    pub fn reconstruct(&self, example: &Example) -> Result<Vec<f32>, TrainerError> {
        let (sums, bias) = self.sums(example, None)?;
        Ok(sums.broadcast_add(bias)?.flatten_all()?.to_vec1()?)
    }

    /// Mean squared error of a graph's reconstruction, with dropout.
    pub(crate) fn loss(&self, example: &Example, dropout: &mut SmallRng) -> Result<Tensor, TrainerError> {
        let (sums, bias) = self.sums(example, Some(dropout))?;
        Ok(sums.apply_op2(bias, SquaredError { target: example.x.clone() })?)
    }

    /// The reconstruction before the last layer's bias, and that bias.
    fn sums(&self, example: &Example, mut dropout: Option<&mut SmallRng>) -> Result<(Tensor, &Tensor), TrainerError> {
        let mut hidden: Option<Tensor> = None;
        for (at, layer) in self.layers.iter().enumerate() {
            let sums = match &hidden {
                None => layer.sums_of_data(&example.first, &example.edges)?,
                Some(hidden) => layer.sums(hidden, &example.edges)?,
            };
            if !layer.is_rectified {
                return Ok((sums, &layer.bias));
            }
            let dropped = dropout.as_deref_mut().filter(|_| DROPS_AFTER[at % DROPS_AFTER.len()]);
            let mask = dropped.map(|random| mask(sums.elem_count(), random));
            hidden = Some(sums.apply_op2(&layer.bias, Rectify { mask })?);
        }
        Err(TrainerError::Encoded {
            expected: "a last layer that is not rectified".to_owned(),
            found: "none".to_owned(),
        })
    }
}

impl Convolution {
    fn sums(&self, input: &Tensor, edges: &Edges) -> Result<Tensor, TrainerError> {
        Ok(if self.aggregates_first {
            aggregate(input, edges)?.apply_op2(&self.weight, Product)?
        } else {
            aggregate(&input.apply_op2(&self.weight, Product)?, edges)?
        })
    }

    /// [`Convolution::sums`] of what an example has ready for the first layer.
    fn sums_of_data(&self, first: &Tensor, edges: &Edges) -> Result<Tensor, TrainerError> {
        let product = self.weight.apply_op1(TimesData { left: first.clone() })?;
        Ok(if self.aggregates_first { product } else { aggregate(&product, edges)? })
    }
}

fn aggregate(input: &Tensor, edges: &Edges) -> candle_core::Result<Tensor> {
    input.apply_op1(Aggregate::over(edges))
}

/// Dropout from a generator of our own: the library's can't be seeded on a CPU, and training must be repeatable.
fn mask(length: usize, random: &mut SmallRng) -> Vec<f32> {
    let kept = 1.0 / (1.0 - DROPOUT);
    (0..length).map(|_| if random.random::<f32>() < DROPOUT { 0.0 } else { kept }).collect()
}
