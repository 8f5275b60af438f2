//! The training loop: fits the auto-encoder to healthy graphs with Adam.

use std::time::{Duration, Instant};

use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use tokio_util::sync::CancellationToken;

use crate::{
    TrainerError,
    autoencoder::{Autoencoder, ModelInput, Weights},
};

/// Smallest relative decrease of the best loss that counts as an improvement.
const MIN_IMPROVEMENT: f32 = 1e-3;
/// Epochs without improvement before fitting stops early.
const PLATEAU_EPOCHS: usize = 15;

/// Hyperparameters of one fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitConfig {
    /// Largest number of passes over the graphs.
    pub epochs: usize,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Seed of the initial weights, the order of the graphs and dropout.
    pub seed: u64,
    /// `Some(limit)`: stop when the loss no longer falls, or once `limit` has passed. `None`: run
    /// every epoch.
    pub early_stop_limit: Option<Duration>,
}

/// A fitted model.
#[derive(Debug)]
pub struct FittedModel {
    /// The model after the last epoch.
    pub model: Autoencoder,
    /// Mean squared error of each epoch, averaged over the graphs.
    pub losses: Vec<f32>,
}

/// Fits a model of `width` features on the calling thread, one graph per step in shuffled order.
///
/// Calls `on_epoch` after each epoch with all losses so far. The same inputs and configuration give
/// the same model, unless `early_stop_limit` passes.
///
/// # Errors
/// If the loss becomes infinite or NaN, a graph differs in width, or `shutdown` is cancelled.
pub fn fit(
    width: usize,
    inputs: &[ModelInput],
    config: &FitConfig,
    shutdown: &CancellationToken,
    mut on_epoch: impl FnMut(&[f32]),
) -> Result<FittedModel, TrainerError> {
    let started = Instant::now();
    let mut random = SmallRng::seed_from_u64(config.seed);
    let model = Autoencoder::new(&Weights::random(width, &mut random))?;
    // AdamW without weight decay is Adam.
    let adam = ParamsAdamW { lr: config.learning_rate, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(model.variables(), adam)?;
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    let mut losses = Vec::with_capacity(config.epochs);
    while losses.len() < config.epochs {
        order.shuffle(&mut random);
        let mut sum = 0.0;
        for &index in &order {
            if shutdown.is_cancelled() {
                return Err(TrainerError::Interrupted);
            }
            let loss = model.loss(&inputs[index], &mut random)?;
            optimizer.backward_step(&loss)?;
            sum += loss.to_scalar::<f32>()?;
        }
        let loss = sum / inputs.len().max(1) as f32;
        if !loss.is_finite() {
            return Err(TrainerError::Diverged { epoch: losses.len() + 1, loss });
        }
        losses.push(loss);
        on_epoch(&losses);
        if config.early_stop_limit.is_some_and(|limit| started.elapsed() >= limit || has_converged(&losses)) {
            break;
        }
    }
    Ok(FittedModel { model, losses })
}

/// Whether the last [`PLATEAU_EPOCHS`] losses improved on the best earlier loss by less than
/// [`MIN_IMPROVEMENT`].
fn has_converged(losses: &[f32]) -> bool {
    let Some(split) = losses.len().checked_sub(PLATEAU_EPOCHS) else { return false };
    let (earlier, recent) = losses.split_at(split);
    let best = |losses: &[f32]| losses.iter().copied().fold(f32::INFINITY, f32::min);
    !earlier.is_empty() && best(recent) > best(earlier) * (1.0 - MIN_IMPROVEMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitting_stops_after_fifteen_epochs_without_improvement() {
        let falling: Vec<f32> = (0..40).map(|epoch| 0.9_f32.powi(epoch)).collect();
        assert!((1..=40).all(|epochs| !has_converged(&falling[..epochs])));
        let mut flat = vec![2.0, 1.0];
        flat.extend([0.9999; PLATEAU_EPOCHS - 1]);
        assert!(!has_converged(&flat));
        flat.push(1.5);
        assert!(has_converged(&flat));
    }
}
