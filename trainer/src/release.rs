//! The training pipeline: from healthy snapshots to a model release.

use std::time::Instant;

use graph::{Baselines, Profile, RECIPE_VERSION, baseline, features};
use schemas::{
    Calibration, ColumnLimit, GraphSnapshot, Manifest, ModelRelease, RoleCalibration, Timestamp, release::sha256_hex,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Progress, TrainerError, TrainingConfig,
    autoencoder::{ModelInput, Weights},
    calibrate::{calibrate, max_limits},
    dataset::Dataset,
    fit::{self, FitConfig, FittedModel},
    low_priority, onnx,
};

/// Input of one training run.
#[derive(Clone, Debug)]
pub struct TrainingJob {
    /// Cohort that the release is for.
    pub cohort: String,
    /// Generation of the cohort.
    pub generation: i64,
    /// Feature profile of the model.
    pub profile: Profile,
    /// Creation time to write into the release.
    pub created_at: Timestamp,
    /// Healthy snapshots of the cohort, in any order.
    pub snapshots: Vec<GraphSnapshot>,
    /// Pressure limits of the previous release of this generation; empty if there is none.
    pub earlier_limits: Vec<ColumnLimit>,
}

/// Trains a release on the calling thread: removes outliers, splits, fits, calibrates and exports.
///
/// # Errors
/// If there are too few snapshots, training diverges, or `shutdown` is cancelled.
pub fn train(
    config: &TrainingConfig,
    job: TrainingJob,
    shutdown: &CancellationToken,
    progress: &Progress,
) -> Result<ModelRelease, TrainerError> {
    let started = Instant::now();
    let TrainingJob { cohort, generation, profile, created_at, snapshots, earlier_limits } = job;
    let dataset = Dataset::new(&cohort, profile, snapshots)?;
    let on_epoch = |losses: &[f32]| progress.report_epoch(&cohort, losses, config.epochs);
    let (roles, fitted) = fit_model(config, &dataset, shutdown, on_epoch)?;
    let mut calibration = calibrate(&dataset, roles, &fitted.model, config.false_alarms_per_day)?;
    calibration.pressure_p99 = max_limits(calibration.pressure_p99, &earlier_limits);
    let weights = fitted.model.weights()?;
    let mut release = ModelRelease {
        cohort,
        generation,
        created_at,
        profile: profile.as_str().to_owned(),
        recipe: RECIPE_VERSION,
        columns: dataset.recipe.columns.clone(),
        features: dataset.recipe.width() as i32,
        sha256: String::new(),
        onnx: Vec::new(),
        manifest: manifest(&dataset, &weights, &fitted.losses),
        calibration,
    };
    release.onnx = onnx::export(&weights, &onnx_metadata(&release));
    release.sha256 = sha256_hex(&release.onnx);
    progress.report_release(&release, dataset.n_outliers, started.elapsed());
    Ok(release)
}

/// Runs [`train`] on a dedicated low-priority thread, where `make_job` runs too. Cancel `shutdown`
/// to stop the thread early.
///
/// # Errors
/// As [`train`], and if the thread cannot be started.
pub async fn train_at_low_priority(
    config: TrainingConfig,
    make_job: impl FnOnce() -> TrainingJob + Send + 'static,
    shutdown: CancellationToken,
    progress: Progress,
) -> Result<ModelRelease, TrainerError> {
    low_priority::run(move || train(&config, make_job(), &shutdown, &progress)).await?
}

/// Computes the baseline of each role and fits a model to the deviations from it.
fn fit_model(
    config: &TrainingConfig,
    dataset: &Dataset,
    shutdown: &CancellationToken,
    on_epoch: impl FnMut(&[f32]),
) -> Result<(Vec<RoleCalibration>, FittedModel), TrainerError> {
    let recipe = &dataset.recipe;
    let is_default = recipe.profile == Profile::Default;
    let roles = if is_default { baseline::fit(recipe, &dataset.training_set) } else { Vec::new() };
    let baselines = Baselines::new(recipe, &Calibration { roles: roles.clone(), ..Calibration::default() });
    let inputs = dataset.training_set.iter().map(|graph| ModelInput::new(&features::encode(recipe, &baselines, graph)));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let fit_config = FitConfig {
        epochs: config.epochs,
        learning_rate: config.learning_rate,
        seed: config.seed,
        early_stop_limit: is_default.then_some(config.max_time),
    };
    let fitted = fit::fit(recipe.width(), &inputs, &fit_config, shutdown, on_epoch)?;
    Ok((roles, fitted))
}

fn manifest(dataset: &Dataset, weights: &Weights, losses: &[f32]) -> Manifest {
    let (from, until) = dataset.time_range();
    Manifest {
        parameters: weights.n_parameters() as i64,
        epochs: losses.len() as i32,
        loss_first: losses.first().copied().unwrap_or_default().into(),
        loss_last: losses.last().copied().unwrap_or_default().into(),
        fitted: dataset.training_set.len() as i64,
        calibrated: dataset.calibration_set.len() as i64,
        from,
        until,
    }
}

/// Metadata that identifies the ONNX file when it is found without its release.
fn onnx_metadata(release: &ModelRelease) -> Vec<(String, String)> {
    let Manifest { parameters, epochs, loss_first, loss_last, fitted, calibrated, from, until } = &release.manifest;
    let columns: Vec<_> = release.columns.iter().map(|column| column.name.as_str()).collect();
    let entries = [
        ("cohort", release.cohort.clone()),
        ("generation", release.generation.to_string()),
        ("created_at", release.created_at.to_string()),
        ("profile", release.profile.clone()),
        ("recipe", release.recipe.to_string()),
        ("features", release.features.to_string()),
        ("columns", columns.join(",")),
        ("parameters", parameters.to_string()),
        ("epochs", epochs.to_string()),
        ("loss_first", loss_first.to_string()),
        ("loss_last", loss_last.to_string()),
        ("fitted", fitted.to_string()),
        ("calibrated", calibrated.to_string()),
        ("from", from.to_string()),
        ("until", until.to_string()),
        ("threshold", release.calibration.threshold.to_string()),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
