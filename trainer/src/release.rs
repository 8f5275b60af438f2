//! From healthy snapshots to a release.

use std::time::Instant;

use graph::{Profile, RECIPE_VERSION, Scaler, features, scale};
use schemas::{
    Calibration, ColumnLimit, GraphSnapshot, Manifest, ModelRelease, RoleCalibration, Timestamp, release::sha256_hex,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Progress, TrainerError, TrainingConfig, apart,
    autoencoder::{Example, Weights},
    calibrate::{calibrate, widest},
    dataset::Dataset,
    fit::{self, Fitted, Plan},
    onnx,
};

/// What a release is made from.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// The group of like hosts that it is for.
    pub cohort: String,
    /// The cohort's generation.
    pub generation: i64,
    /// What to read of the snapshots.
    pub profile: Profile,
    /// What the release says of when it was made.
    pub created_at: Timestamp,
    /// Healthy snapshots of the cohort, in any order.
    pub snapshots: Vec<GraphSnapshot>,
    /// The pressure limits of the generation's earlier release, if it has one.
    pub earlier_limits: Vec<ColumnLimit>,
}

/// Makes a release on the calling thread: trims, splits, fits, calibrates, exports. [`train_apart`] does it politely.
///
/// # Errors
/// If there is too little to learn from, fitting diverges, or `shutdown` is cancelled.
pub fn train(
    config: &TrainingConfig,
    lesson: Lesson,
    shutdown: &CancellationToken,
    progress: &Progress,
) -> Result<ModelRelease, TrainerError> {
    let began = Instant::now();
    let Lesson { cohort, generation, profile, created_at, snapshots, earlier_limits } = lesson;
    let dataset = Dataset::new(&cohort, profile, snapshots)?;
    let on_epoch = |losses: &[f32]| progress.epoch(&cohort, losses, config.epochs);
    let (roles, fitted) = learn(config, &dataset, shutdown, on_epoch)?;
    let mut calibration = calibrate(&dataset, roles, &fitted.model, config.false_alarms_per_day)?;
    calibration.pressure_p99 = widest(calibration.pressure_p99, &earlier_limits);
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
    release.onnx = onnx::export(&weights, &metadata(&release));
    release.sha256 = sha256_hex(&release.onnx);
    progress.trained(&release, dataset.n_trimmed, began.elapsed());
    Ok(release)
}

/// [`train`] on a thread of its own, so that the machine hardly feels it: one core, at low priority. Returns once it is
/// done; a caller that no longer waits cancels `shutdown`.
///
/// # Errors
/// Those of [`train`], and if there can be no such thread.
pub async fn train_apart(
    config: TrainingConfig,
    make_lesson: impl FnOnce() -> Lesson + Send + 'static,
    shutdown: CancellationToken,
    progress: Progress,
) -> Result<ModelRelease, TrainerError> {
    apart::run(move || train(&config, make_lesson(), &shutdown, &progress)).await?
}

/// What is normal for each role, and a model fitted to how things deviate from it.
fn learn(
    config: &TrainingConfig,
    dataset: &Dataset,
    shutdown: &CancellationToken,
    on_epoch: impl FnMut(&[f32]),
) -> Result<(Vec<RoleCalibration>, Fitted), TrainerError> {
    let recipe = &dataset.recipe;
    let is_default = recipe.profile == Profile::Default;
    let roles = if is_default { scale::fit(recipe, &dataset.fitted) } else { Vec::new() };
    let scaler = Scaler::of(recipe, &Calibration { roles: roles.clone(), ..Calibration::default() });
    let examples = dataset.fitted.iter().map(|graph| Example::new(&features::encode(recipe, &scaler, graph)));
    let examples = examples.collect::<Result<Vec<_>, _>>()?;
    let plan = Plan {
        epochs: config.epochs,
        learning_rate: config.learning_rate,
        seed: config.seed,
        ends_early_after: is_default.then_some(config.max_time),
    };
    let fitted = fit::fit(recipe.width(), &examples, &plan, shutdown, on_epoch)?;
    Ok((roles, fitted))
}

fn manifest(dataset: &Dataset, weights: &Weights, losses: &[f32]) -> Manifest {
    let (from, until) = dataset.span();
    Manifest {
        parameters: weights.n_parameters() as i64,
        epochs: losses.len() as i32,
        loss_first: losses.first().copied().unwrap_or_default().into(),
        loss_last: losses.last().copied().unwrap_or_default().into(),
        fitted: dataset.fitted.len() as i64,
        calibrated: dataset.held_back.len() as i64,
        from,
        until,
    }
}

/// What the ONNX file says of itself, for whoever finds it without its release.
fn metadata(release: &ModelRelease) -> Vec<(String, String)> {
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
