//! Fitting the auto-encoder to healthy graphs.

use std::time::{Duration, Instant};

use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use tokio_util::sync::CancellationToken;

use crate::{
    TrainerError,
    autoencoder::{Autoencoder, Example, Weights},
};

/// The loss counts as falling while an epoch is better than the best by this part of it.
const LEAST_IMPROVEMENT: f32 = 1e-3;
/// Epochs without improvement before fitting ends early.
const PATIENCE: usize = 15;

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Passes over the graphs.
    pub epochs: usize,
    /// Step of the optimizer.
    pub learning_rate: f64,
    /// Seed of weights, order and dropout.
    pub seed: u64,
    /// Where set, fitting ends once the loss no longer falls, or after this long; else all epochs are made.
    pub ends_early_after: Option<Duration>,
}

/// A fitted model.
#[derive(Debug)]
pub struct Fitted {
    /// The model.
    pub model: Autoencoder,
    /// Mean squared error of each epoch, the mean over the graphs.
    pub losses: Vec<f32>,
}

/// Fits a model of width F to graphs of that width, one graph a step in shuffled order, on the calling thread.
/// `on_epoch` is told each epoch's loss. Graphs and plan being equal, so is the model.
///
/// # Errors
/// If the loss leaves the numbers, a graph has another width, or `shutdown` is cancelled.
pub fn fit(
    width: usize,
    examples: &[Example],
    plan: &Plan,
    shutdown: &CancellationToken,
    mut on_epoch: impl FnMut(&[f32]),
) -> Result<Fitted, TrainerError> {
    let began = Instant::now();
    let mut random = SmallRng::seed_from_u64(plan.seed);
    let model = Autoencoder::new(&Weights::random(width, &mut random))?;
    // Without weight decay this is Adam.
    let adam = ParamsAdamW { lr: plan.learning_rate, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(model.variables(), adam)?;
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut losses = Vec::with_capacity(plan.epochs);
    while losses.len() < plan.epochs {
        order.shuffle(&mut random);
        let mut sum = 0.0;
        for &at in &order {
            if shutdown.is_cancelled() {
                return Err(TrainerError::Interrupted);
            }
            let loss = model.loss(&examples[at], &mut random)?;
            optimizer.backward_step(&loss)?;
            sum += loss.to_scalar::<f32>()?;
        }
        let loss = sum / examples.len().max(1) as f32;
        if !loss.is_finite() {
            return Err(TrainerError::Diverged { epoch: losses.len() + 1, loss });
        }
        losses.push(loss);
        on_epoch(&losses);
        if plan.ends_early_after.is_some_and(|most| began.elapsed() >= most || has_stopped_falling(&losses)) {
            break;
        }
    }
    Ok(Fitted { model, losses })
}

fn has_stopped_falling(losses: &[f32]) -> bool {
    let Some((before, lately)) = losses.len().checked_sub(PATIENCE).map(|at| losses.split_at(at)) else { return false };
    let best = |losses: &[f32]| losses.iter().copied().fold(f32::INFINITY, f32::min);
    !before.is_empty() && best(lately) > best(before) * (1.0 - LEAST_IMPROVEMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitting_goes_on_while_the_loss_falls_and_ends_after_fifteen_epochs_without_improvement() {
        let falling: Vec<f32> = (0..40).map(|epoch| 0.9_f32.powi(epoch)).collect();
        assert!((1..=40).all(|epochs| !has_stopped_falling(&falling[..epochs])));
        let mut flat = vec![2.0, 1.0];
        flat.extend([0.9999; PATIENCE - 1]);
        assert!(!has_stopped_falling(&flat));
        flat.push(1.5);
        assert!(has_stopped_falling(&flat));
    }
}
