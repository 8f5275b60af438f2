//! Checks a model release and runs it. The only module that uses the inference engine, tract.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use graph::{Baselines, Encoded, Profile, RECIPE_VERSION, Recipe};
use schemas::ModelRelease;
use thiserror::Error;
use tract_onnx::prelude::*;

/// Why a model cannot be loaded or run.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The checksum of the ONNX file differs from that of the release.
    #[error("model `{model}`: expected SHA-256 `{expected}`, found `{found}`")]
    Checksum {
        /// Short name of the model's release.
        model: String,
        /// Checksum in the release.
        expected: String,
        /// Checksum of the bytes.
        found: String,
    },
    /// The model was trained on features that this scorer does not compute.
    #[error("model `{model}`: expected recipe {RECIPE_VERSION}, found recipe {found} with profile `{profile}`")]
    Recipe {
        /// Short name of the model's release.
        model: String,
        /// Profile of the release.
        profile: String,
        /// Recipe version of the release.
        found: i32,
    },
    /// The sizes of the release's parts are inconsistent.
    #[error("model `{model}`: expected {expected} values for {what}, found {found}")]
    Shape {
        /// Short name of the model's release.
        model: String,
        /// The inconsistent part.
        what: String,
        /// Size of the part.
        found: usize,
        /// Expected size.
        expected: usize,
    },
    /// A calibration value is not a finite number, or not above 0 where it must be.
    #[error("model `{model}`: expected a finite number above 0 for {what}, found {found}")]
    Calibration {
        /// Short name of the model's release.
        model: String,
        /// The invalid value.
        what: String,
        /// The number.
        found: f64,
    },
    /// The inference engine cannot load the ONNX file.
    #[error("model `{model}` cannot be loaded: {reason}")]
    Load {
        /// Short name of the model's release.
        model: String,
        /// Error of the inference engine.
        reason: String,
    },
    /// The inference engine failed on a graph.
    #[error("model `{model}` failed on a graph of {nodes} nodes: {reason}")]
    Run {
        /// Short name of the model's release.
        model: String,
        /// Number of nodes of the graph.
        nodes: usize,
        /// Error of the inference engine.
        reason: String,
    },
}

/// A loaded model.
pub struct Model {
    release: ModelRelease,
    recipe: Recipe,
    baselines: Baselines,
    plan: Arc<TypedRunnableModel>,
}

impl Model {
    /// Checks a release, loads its ONNX file and runs it once on a graph of two nodes.
    ///
    /// # Errors
    /// If the release is not valid or not compatible with this scorer. It must not be used then.
    pub fn load(release: ModelRelease) -> Result<Model, ModelError> {
        let recipe = check_release(&release)?;
        let baselines = Baselines::new(&recipe, &release.calibration);
        let load_error = |reason: String| ModelError::Load { model: release.short_name().to_owned(), reason };
        let plan = catch_unwind(|| build_plan(&release.onnx, recipe.width()))
            .map_err(|_| load_error("the inference engine panicked".to_owned()))?
            .map_err(|error| load_error(format!("{error:#}")))?;
        let model = Model { release, recipe, baselines, plan };
        model.reconstruct(&smallest_input(model.recipe.width()))?;
        Ok(model)
    }

    /// The release of this model.
    pub fn release(&self) -> &ModelRelease {
        &self.release
    }

    /// Encoding of the columns that the model reads.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Baselines of the release's calibration.
    pub fn baselines(&self) -> &Baselines {
        &self.baselines
    }

    /// Reconstructs the features of a graph: N * F values in row-major order.
    ///
    /// # Errors
    /// If the inference engine fails or panics. The model remains usable.
    pub fn reconstruct(&self, encoded: &Encoded) -> Result<Vec<f32>, ModelError> {
        let run_error = |reason: String| ModelError::Run {
            model: self.release.short_name().to_owned(),
            nodes: encoded.nodes,
            reason,
        };
        // tract does not check row indices.
        let rows = 0..i64::try_from(encoded.nodes).unwrap_or(i64::MAX);
        if let Some(row) = encoded.sources.iter().chain(&encoded.targets).find(|row| !rows.contains(row)) {
            return Err(run_error(format!("an edge refers to row {row}")));
        }
        // Each run of a plan creates its own state, so a panic leaves none behind.
        let run = catch_unwind(AssertUnwindSafe(|| self.run(encoded)));
        let reconstruction = run
            .map_err(|_| run_error("the inference engine panicked".to_owned()))?
            .map_err(|error| run_error(format!("{error:#}")))?;
        if reconstruction.len() != encoded.x.len() || reconstruction.iter().any(|value| !value.is_finite()) {
            let expected = encoded.x.len();
            let found = reconstruction.len();
            return Err(run_error(format!("expected {expected} finite values, found {found} values")));
        }
        Ok(reconstruction)
    }

    fn run(&self, encoded: &Encoded) -> TractResult<Vec<f32>> {
        let x = Tensor::from_shape(&[encoded.nodes, encoded.width], &encoded.x)?;
        let indices = [encoded.sources.as_slice(), &encoded.targets].concat();
        let edge_index = Tensor::from_shape(&[2, encoded.sources.len()], &indices)?;
        let outputs = self.plan.run(tvec!(x.into(), edge_index.into()))?;
        Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }
}

/// Two nodes and an edge, with all features 0.
fn smallest_input(width: usize) -> Encoded {
    Encoded { nodes: 2, width, x: vec![0.0; 2 * width], sources: vec![0], targets: vec![1], node_of_row: vec![0, 1] }
}

/// Checks checksum, recipe, sizes and calibration of a release.
fn check_release(release: &ModelRelease) -> Result<Recipe, ModelError> {
    let model = || release.short_name().to_owned();
    if !release.is_intact() {
        let found = schemas::release::sha256_hex(&release.onnx);
        return Err(ModelError::Checksum { model: model(), expected: release.sha256.clone(), found });
    }
    let profile =
        Profile::from_name(&release.profile).filter(|_| release.recipe == RECIPE_VERSION).ok_or_else(|| {
            ModelError::Recipe { model: model(), profile: release.profile.clone(), found: release.recipe }
        })?;
    let recipe = Recipe { profile, columns: release.columns.clone() };
    let width = usize::try_from(release.features).unwrap_or(0);
    if width != recipe.width() {
        let what = "the number of features".to_owned();
        return Err(ModelError::Shape { model: model(), what, found: width, expected: recipe.width() });
    }
    check_calibration(release)?;
    Ok(recipe)
}

fn check_calibration(release: &ModelRelease) -> Result<(), ModelError> {
    let model = || release.short_name().to_owned();
    let check_positive = |what: &str, found: f64| match found.is_finite() && found > 0.0 {
        true => Ok(()),
        false => Err(ModelError::Calibration { model: model(), what: what.to_owned(), found }),
    };
    check_positive("the threshold", release.calibration.threshold)?;
    for limit in &release.calibration.pressure_p99 {
        if !limit.limit.is_finite() || limit.limit < 0.0 {
            let what = format!("the limit of `{}`", limit.name);
            return Err(ModelError::Calibration { model: model(), what, found: f64::from(limit.limit) });
        }
    }
    for role in &release.calibration.roles {
        let lists = [&role.centre, &role.spread, &role.residual_centre, &role.residual_spread];
        for list in lists {
            if list.len() != release.columns.len() {
                let what = format!("the calibration of role `{}`", role.role);
                return Err(ModelError::Shape {
                    model: model(),
                    what,
                    found: list.len(),
                    expected: release.columns.len(),
                });
            }
        }
        for spread in role.spread.iter().chain(&role.residual_spread) {
            check_positive(&format!("the spread of role `{}`", role.role), f64::from(*spread))?;
        }
        if let Some(centre) = role.centre.iter().chain(&role.residual_centre).find(|centre| !centre.is_finite()) {
            let what = format!("the centre of role `{}`", role.role);
            return Err(ModelError::Calibration { model: model(), what, found: f64::from(*centre) });
        }
    }
    Ok(())
}

/// Parses and optimizes the ONNX file for graphs of any number of nodes and edges.
fn build_plan(onnx: &[u8], width: usize) -> TractResult<Arc<TypedRunnableModel>> {
    let model = tract_onnx::onnx().model_for_read(&mut Cursor::new(onnx))?;
    let nodes = model.symbols.sym("N");
    let edges = model.symbols.sym("E");
    model
        .with_input_fact(0, f32::fact([nodes.to_dim(), width.to_dim()]).into())?
        .with_input_fact(1, i64::fact([2.to_dim(), edges.to_dim()]).into())?
        .into_optimized()?
        .into_runnable()
}
