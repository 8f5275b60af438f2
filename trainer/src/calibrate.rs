//! Calibration of a fitted model: residual statistics for each role, and the alarm threshold.

use std::collections::HashMap;

use graph::{Baselines, Encoded, HostGraph, Profile, Recipe, anomaly, features, threshold};
use schemas::{Calibration, ColumnLimit, NodeKind, RoleCalibration};

use crate::{
    TrainerError,
    autoencoder::{Autoencoder, ModelInput},
    dataset::Dataset,
};

/// Minimum number of observations of a role in the calibration set. Roles with fewer are calibrated
/// on the training set too.
const MIN_OBSERVATIONS: usize = 10;

/// Calibrates a model on the calibration set of `dataset`.
///
/// `roles` holds the centres and spreads with which the training set was encoded; the result adds
/// those of the residuals. The threshold is set for `false_alarms_per_day` false alarms per host
/// and day.
///
/// # Errors
/// If the model cannot be computed.
pub fn calibrate(
    dataset: &Dataset,
    mut roles: Vec<RoleCalibration>,
    model: &Autoencoder,
    false_alarms_per_day: f64,
) -> Result<Calibration, TrainerError> {
    let recipe = &dataset.recipe;
    let pressure_p99 = dataset.pressure_limits.clone();
    let baselines = Baselines::new(recipe, &Calibration { roles: roles.clone(), ..Calibration::default() });
    let reconstructed = reconstruct_all(recipe, &baselines, model, &dataset.calibration_set)?;
    if recipe.profile == Profile::Classic {
        let errors = reconstructed.iter().flat_map(ReconstructedGraph::node_errors).collect();
        let threshold = f64::from(threshold::for_classic(errors));
        return Ok(Calibration { threshold, roles: Vec::new(), pressure_p99 });
    }
    fit_residuals(dataset, &baselines, model, &reconstructed, &mut roles)?;
    let mut calibration = Calibration { threshold: 1.0, roles, pressure_p99 };
    let scores = |item: &ReconstructedGraph| {
        anomaly::unscaled_scores(recipe, &calibration, item.graph, &item.encoded, &item.reconstruction)
    };
    let sweeps: Vec<_> = reconstructed.iter().map(scores).collect();
    calibration.threshold = f64::from(threshold::for_rate(&sweeps, dataset.interval_s(), false_alarms_per_day));
    Ok(calibration)
}

/// Merges two lists of limits; a column in both lists gets the higher limit.
///
/// The gate admits healthy snapshots below these limits to later training. Without the limits of
/// the earlier release, they would fall with every release until no snapshot is admitted.
pub fn max_limits(mut limits: Vec<ColumnLimit>, earlier: &[ColumnLimit]) -> Vec<ColumnLimit> {
    for earlier_limit in earlier {
        match limits.iter_mut().find(|limit| limit.name == earlier_limit.name) {
            Some(limit) => limit.limit = limit.limit.max(earlier_limit.limit),
            None => limits.push(earlier_limit.clone()),
        }
    }
    limits
}

/// A graph with its features and their reconstruction.
struct ReconstructedGraph<'a> {
    graph: &'a HostGraph,
    encoded: Encoded,
    reconstruction: Vec<f32>,
}

impl ReconstructedGraph<'_> {
    fn as_tuple(&self) -> (&HostGraph, &Encoded, &[f32]) {
        (self.graph, &self.encoded, &self.reconstruction)
    }

    /// Mean squared error of each row.
    fn node_errors(&self) -> impl Iterator<Item = f32> {
        let width = self.encoded.width.max(1);
        let rows = self.encoded.x.chunks_exact(width).zip(self.reconstruction.chunks_exact(width));
        rows.map(move |(x, y)| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f32>() / width as f32)
    }
}

fn reconstruct_all<'a>(
    recipe: &Recipe,
    baselines: &Baselines,
    model: &Autoencoder,
    graphs: &'a [HostGraph],
) -> Result<Vec<ReconstructedGraph<'a>>, TrainerError> {
    let reconstruct = |graph| {
        let encoded = features::encode(recipe, baselines, graph);
        let reconstruction = model.reconstruct(&ModelInput::new(&encoded)?)?;
        Ok(ReconstructedGraph { graph, encoded, reconstruction })
    };
    graphs.iter().map(reconstruct).collect()
}

/// Fits the residual centre and spread of each role to `calibration_set`, and to the training set
/// as well for roles with few observations.
fn fit_residuals(
    dataset: &Dataset,
    baselines: &Baselines,
    model: &Autoencoder,
    calibration_set: &[ReconstructedGraph],
    roles: &mut [RoleCalibration],
) -> Result<(), TrainerError> {
    let observations = count_observations(calibration_set);
    let is_rare = |role: &RoleCalibration| {
        observations.get(&(&role.kind, role.role.as_str())).is_none_or(|count| *count < MIN_OBSERVATIONS)
    };
    // Partition the roles by number of observations; the sort below restores the order.
    roles.sort_by_cached_key(is_rare);
    let n_common = roles.partition_point(|role| !is_rare(role));
    let (common, rare) = roles.split_at_mut(n_common);
    let training_set = if rare.is_empty() { &[][..] } else { &dataset.training_set };
    let training_set = reconstruct_all(&dataset.recipe, baselines, model, training_set)?;
    let mut samples: Vec<_> = calibration_set.iter().map(ReconstructedGraph::as_tuple).collect();
    anomaly::fit_residuals(&dataset.recipe, common, &samples);
    samples.extend(training_set.iter().map(ReconstructedGraph::as_tuple));
    anomaly::fit_residuals(&dataset.recipe, rare, &samples);
    roles.sort_by(|a, b| (&a.kind, &a.role).cmp(&(&b.kind, &b.role)));
    Ok(())
}

/// Number of nodes of each kind and role in all sweeps of `calibration_set`. An empty role stands
/// for all nodes of its kind.
fn count_observations<'a>(calibration_set: &[ReconstructedGraph<'a>]) -> HashMap<(&'a NodeKind, &'a str), usize> {
    let mut counts = HashMap::new();
    for node in calibration_set.iter().flat_map(|item| item.graph.nodes()) {
        *counts.entry((&node.kind, "")).or_insert(0) += 1;
        if !node.role.is_empty() {
            *counts.entry((&node.kind, node.role.as_str())).or_insert(0) += 1;
        }
    }
    counts
}
