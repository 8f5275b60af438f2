//! Parameters of the auto-encoder.

use rand::Rng;

use super::HIDDEN;

/// Parameters of a model, layer by layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Layers of the encoder, then of the decoder.
    pub layers: Vec<Layer>,
}

/// Parameters of one graph convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Number of input features.
    pub inputs: usize,
    /// Number of output features.
    pub outputs: usize,
    /// Matrix `[inputs, outputs]` in row-major order.
    pub weight: Vec<f32>,
    /// Vector `[outputs]`.
    pub bias: Vec<f32>,
    /// Whether ReLU is applied to the output.
    pub has_relu: bool,
}

impl Weights {
    /// Random initial parameters of a model with `width` features: Glorot-uniform weights and zero
    /// biases.
    pub fn random(width: usize, random: &mut impl Rng) -> Weights {
        let widths = [width, HIDDEN[0], HIDDEN[1], HIDDEN[2], width];
        let last = widths.len() - 2;
        let layer = |(index, pair): (usize, &[usize])| {
            let inputs = pair[0];
            let outputs = pair[1];
            let limit = (6.0 / (inputs + outputs) as f32).sqrt();
            let weight = (0..inputs * outputs).map(|_| random.random_range(-limit..=limit)).collect();
            Layer { inputs, outputs, weight, bias: vec![0.0; outputs], has_relu: index != last }
        };
        Weights { layers: widths.windows(2).enumerate().map(layer).collect() }
    }

    /// Number of features that the model reads and reconstructs, F.
    pub fn width(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs)
    }

    /// Number of parameters.
    pub fn n_parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.weight.len() + layer.bias.len()).sum()
    }
}

impl Layer {
    /// Whether the layer aggregates neighbours before it multiplies with the weights.
    ///
    /// Both orders give the same result. Aggregation is cheaper on the side with fewer features.
    pub fn aggregates_first(&self) -> bool {
        aggregates_first(self.inputs, self.outputs)
    }
}

/// [`Layer::aggregates_first`] for a layer with these numbers of features.
pub(super) fn aggregates_first(inputs: usize, outputs: usize) -> bool {
    inputs < outputs
}
