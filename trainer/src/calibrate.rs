//! What is normal for a role once the model has explained its part, and what alarms.

use graph::{Encoded, HostGraph, Profile, Recipe, Scaler, anomaly, features, threshold};
use schemas::{Calibration, ColumnLimit, RoleCalibration};

use crate::{
    TrainerError,
    autoencoder::{Autoencoder, Example},
    dataset::Dataset,
};

/// A role with fewer held-back node-sweeps is calibrated on the fitted ones too.
const ENOUGH_HELD_BACK: usize = 10;

/// Calibrates a model on the held-back snapshots. `roles` are the centres and spreads that the model was fitted with.
///
/// # Errors
/// If the model can't be computed.
pub fn calibrate(
    dataset: &Dataset,
    mut roles: Vec<RoleCalibration>,
    model: &Autoencoder,
    false_alarms_per_day: f64,
) -> Result<Calibration, TrainerError> {
    let recipe = &dataset.recipe;
    let pressure_p99 = dataset.pressure.clone();
    let scaler = Scaler::of(recipe, &Calibration { roles: roles.clone(), ..Calibration::default() });
    let held_back = reconstruct(recipe, &scaler, model, &dataset.held_back)?;
    if recipe.profile == Profile::Classic {
        let threshold = threshold::for_classic(held_back.iter().flat_map(Judged::node_errors).collect());
        return Ok(Calibration { threshold: f64::from(threshold), roles: Vec::new(), pressure_p99 });
    }
    fit_residuals(dataset, &scaler, model, &held_back, &mut roles)?;
    let mut calibration = Calibration { threshold: 1.0, roles, pressure_p99 };
    let scores = |judged: &Judged| {
        anomaly::unscaled_scores(recipe, &calibration, judged.graph, &judged.encoded, &judged.reconstruction)
    };
    let sweeps: Vec<_> = held_back.iter().map(scores).collect();
    calibration.threshold = f64::from(threshold::for_rate(&sweeps, dataset.interval_s(), false_alarms_per_day));
    Ok(calibration)
}

/// The limits of both, the higher where both have one. Healthy snapshots below a limit set the next limit: without the
/// earlier one it would sink from model to model, until nothing is calm enough to learn from.
pub fn widest(mut limits: Vec<ColumnLimit>, earlier: &[ColumnLimit]) -> Vec<ColumnLimit> {
    for before in earlier {
        match limits.iter_mut().find(|limit| limit.name == before.name) {
            Some(limit) => limit.limit = limit.limit.max(before.limit),
            None => limits.push(before.clone()),
        }
    }
    limits
}

/// A graph with what was encoded of it and reconstructed.
struct Judged<'a> {
    graph: &'a HostGraph,
    encoded: Encoded,
    reconstruction: Vec<f32>,
}

impl Judged<'_> {
    fn parts(&self) -> (&HostGraph, &Encoded, &[f32]) {
        (self.graph, &self.encoded, &self.reconstruction)
    }

    /// The mean squared error of each row.
    fn node_errors(&self) -> impl Iterator<Item = f32> {
        let width = self.encoded.width.max(1);
        let rows = self.encoded.x.chunks_exact(width).zip(self.reconstruction.chunks_exact(width));
        rows.map(move |(x, y)| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f32>() / width as f32)
    }
}

fn reconstruct<'a>(
    recipe: &Recipe,
    scaler: &Scaler,
    model: &Autoencoder,
    graphs: &'a [HostGraph],
) -> Result<Vec<Judged<'a>>, TrainerError> {
    let judge = |graph| {
        let encoded = features::encode(recipe, scaler, graph);
        let reconstruction = model.reconstruct(&Example::new(&encoded)?)?;
        Ok(Judged { graph, encoded, reconstruction })
    };
    graphs.iter().map(judge).collect()
}

fn fit_residuals(
    dataset: &Dataset,
    scaler: &Scaler,
    model: &Autoencoder,
    held_back: &[Judged],
    roles: &mut [RoleCalibration],
) -> Result<(), TrainerError> {
    // Those that the held-back part shows often enough come first; the sort is undone below.
    roles.sort_by_cached_key(|role| n_observations(role, held_back) < ENOUGH_HELD_BACK);
    let n_rich = roles.partition_point(|role| n_observations(role, held_back) >= ENOUGH_HELD_BACK);
    let (rich, poor) = roles.split_at_mut(n_rich);
    let fitted = if poor.is_empty() { &[][..] } else { &dataset.fitted };
    let fitted = reconstruct(&dataset.recipe, scaler, model, fitted)?;
    let mut seen: Vec<_> = held_back.iter().map(Judged::parts).collect();
    anomaly::fit_residuals(&dataset.recipe, rich, &seen);
    seen.extend(fitted.iter().map(Judged::parts));
    anomaly::fit_residuals(&dataset.recipe, poor, &seen);
    roles.sort_by(|a, b| (&a.kind, &a.role).cmp(&(&b.kind, &b.role)));
    Ok(())
}

/// How many held-back node-sweeps speak of a role, or of a kind.
fn n_observations(role: &RoleCalibration, held_back: &[Judged]) -> usize {
    let nodes = held_back.iter().flat_map(|judged| judged.graph.nodes());
    nodes.filter(|node| node.kind == role.kind && (role.role.is_empty() || node.role == role.role)).count()
}
