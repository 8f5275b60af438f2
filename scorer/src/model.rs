//! A release checked and made ready to run: the only place that knows the inference engine.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use graph::{Encoded, Profile, RECIPE_VERSION, Recipe, Scaler};
use schemas::ModelRelease;
use thiserror::Error;
use tract_onnx::prelude::*;

/// Why a release is not used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file is not the one that was released.
    #[error("model `{model}` has the SHA-256 `{found}`, its release says `{expected}`")]
    Checksum {
        /// Its short name.
        model: String,
        /// What the release says.
        expected: String,
        /// What the bytes have.
        found: String,
    },
    /// It was trained on features that this program does not make.
    #[error("model `{model}` expects recipe {found} (`{profile}`), this scorer encodes recipe {RECIPE_VERSION}")]
    Recipe {
        /// Its short name.
        model: String,
        /// The release's profile.
        profile: String,
        /// The release's recipe version.
        found: i32,
    },
    /// Its parts contradict each other.
    #[error("model `{model}` has {what} of {found}, expected {expected}")]
    Shape {
        /// Its short name.
        model: String,
        /// The part.
        what: String,
        /// Its size.
        found: usize,
        /// What would fit.
        expected: usize,
    },
    /// A calibration figure cannot be reckoned with.
    #[error("model `{model}` is calibrated with {what} {found}: expected a finite number above 0")]
    Calibration {
        /// Its short name.
        model: String,
        /// The figure.
        what: String,
        /// Its value.
        found: f64,
    },
    /// The inference engine cannot read it.
    #[error("model `{model}` cannot be read: {reason}")]
    Unreadable {
        /// Its short name.
        model: String,
        /// What the engine says.
        reason: String,
    },
    /// The inference engine failed on a graph.
    #[error("model `{model}` failed on a graph of {nodes} nodes: {reason}")]
    Failed {
        /// Its short name.
        model: String,
        /// The graph's size.
        nodes: usize,
        /// What the engine says.
        reason: String,
    },
}

/// A model that is ready to run.
pub struct Model {
    release: ModelRelease,
    recipe: Recipe,
    scaler: Scaler,
    plan: Arc<TypedRunnableModel>,
}

impl Model {
    /// Checks a release and prepares it.
    ///
    /// # Errors
    /// Says what does not fit; nothing of such a release may be used.
    pub fn load(release: ModelRelease) -> Result<Model, ModelError> {
        let recipe = check(&release)?;
        let scaler = Scaler::of(&recipe, &release.calibration);
        let unreadable = |reason: String| ModelError::Unreadable { model: release.short_name().to_owned(), reason };
        let plan = catch_unwind(|| prepare(&release.onnx, recipe.width()))
            .map_err(|_| unreadable("the inference engine panicked on it".to_owned()))?
            .map_err(|error| unreadable(format!("{error:#}")))?;
        Ok(Model { release, recipe, scaler, plan })
    }

    /// The release that it was made from.
    pub fn release(&self) -> &ModelRelease {
        &self.release
    }

    /// Which columns it reads.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What is normal for whom.
    pub fn scaler(&self) -> &Scaler {
        &self.scaler
    }

    /// Reconstructs `x[N, F]`, row by row.
    ///
    /// # Errors
    /// The engine's failure, also where it panicked; the model is as good as before.
    pub fn reconstruct(&self, encoded: &Encoded) -> Result<Vec<f32>, ModelError> {
        let failed = |reason: String| ModelError::Failed {
            model: self.release.short_name().to_owned(),
            nodes: encoded.nodes,
            reason,
        };
        // The engine adds rows by index without looking whether there is such a row.
        let rows = 0..i64::try_from(encoded.nodes).unwrap_or(i64::MAX);
        if let Some(row) = encoded.sources.iter().chain(&encoded.targets).find(|row| !rows.contains(row)) {
            return Err(failed(format!("an edge has the end {row}")));
        }
        // A plan's run makes its own state, so a panic leaves nothing behind.
        let run = catch_unwind(AssertUnwindSafe(|| self.run(encoded)));
        let reconstruction = run
            .map_err(|_| failed("the inference engine panicked".to_owned()))?
            .map_err(|error| failed(format!("{error:#}")))?;
        if reconstruction.len() != encoded.x.len() || reconstruction.iter().any(|value| !value.is_finite()) {
            let (expected, found) = (encoded.x.len(), reconstruction.len());
            return Err(failed(format!("expected {expected} finite values, found {found} values")));
        }
        Ok(reconstruction)
    }

    fn run(&self, encoded: &Encoded) -> TractResult<Vec<f32>> {
        let x = Tensor::from_shape(&[encoded.nodes, encoded.width], &encoded.x)?;
        let ends = [encoded.sources.as_slice(), &encoded.targets].concat();
        let edges = Tensor::from_shape(&[2, encoded.sources.len()], &ends)?;
        let outputs = self.plan.run(tvec!(x.into(), edges.into()))?;
        Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }
}

fn check(release: &ModelRelease) -> Result<Recipe, ModelError> {
    let model = || release.short_name().to_owned();
    if !release.is_intact() {
        let found = schemas::release::sha256_hex(&release.onnx);
        return Err(ModelError::Checksum { model: model(), expected: release.sha256.clone(), found });
    }
    let profile = Profile::of_name(&release.profile).filter(|_| release.recipe == RECIPE_VERSION).ok_or_else(|| {
        ModelError::Recipe { model: model(), profile: release.profile.clone(), found: release.recipe }
    })?;
    let recipe = Recipe { profile, columns: release.columns.clone() };
    let width = usize::try_from(release.features).unwrap_or(0);
    if width != recipe.width() {
        let what = "a number of features".to_owned();
        return Err(ModelError::Shape { model: model(), what, found: width, expected: recipe.width() });
    }
    check_calibration(release)?;
    Ok(recipe)
}

fn check_calibration(release: &ModelRelease) -> Result<(), ModelError> {
    let model = || release.short_name().to_owned();
    let positive = |what: &str, found: f64| match found.is_finite() && found > 0.0 {
        true => Ok(()),
        false => Err(ModelError::Calibration { model: model(), what: what.to_owned(), found }),
    };
    positive("the threshold", release.calibration.threshold)?;
    for role in &release.calibration.roles {
        let lists = [&role.centre, &role.spread, &role.residual_centre, &role.residual_spread];
        for list in lists {
            if list.len() != release.columns.len() {
                let what = format!("a calibration list of role `{}`", role.role);
                return Err(ModelError::Shape {
                    model: model(),
                    what,
                    found: list.len(),
                    expected: release.columns.len(),
                });
            }
        }
        for spread in role.spread.iter().chain(&role.residual_spread) {
            positive(&format!("the spread of role `{}`", role.role), f64::from(*spread))?;
        }
        if let Some(centre) = role.centre.iter().chain(&role.residual_centre).find(|centre| !centre.is_finite()) {
            let what = format!("the centre of role `{}`", role.role);
            return Err(ModelError::Calibration { model: model(), what, found: f64::from(*centre) });
        }
    }
    Ok(())
}

fn prepare(onnx: &[u8], width: usize) -> TractResult<Arc<TypedRunnableModel>> {
    let model = tract_onnx::onnx().model_for_read(&mut Cursor::new(onnx))?;
    let (nodes, edges) = (model.symbols.sym("N"), model.symbols.sym("E"));
    model
        .with_input_fact(0, f32::fact([nodes.to_dim(), width.to_dim()]).into())?
        .with_input_fact(1, i64::fact([2.to_dim(), edges.to_dim()]).into())?
        .into_optimized()?
        .into_runnable()
}
