//! Baselines: robust centre and spread of each signal for a role.

mod fit;

use std::collections::HashMap;

use schemas::{Calibration, Node, NodeKind};

use crate::recipe::{ColumnScale, Recipe};

pub use fit::fit;

/// The baselines of a model release: one for each role, and one for each kind as the fallback.
#[derive(Clone, Debug, Default)]
pub struct Baselines {
    scales: Vec<ColumnScale>,
    by_role: HashMap<NodeKind, HashMap<String, Baseline>>,
}

/// The baseline of one role, per column of the recipe, in transformed units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    /// Whether the baseline is that of the role and not that of its kind.
    pub is_of_role: bool,
    /// Robust centres.
    pub centre: Vec<f32>,
    /// Robust spreads, above 0.
    pub spread: Vec<f32>,
    /// Centres of the residuals of the model, in spreads.
    pub residual_centre: Vec<f32>,
    /// Spreads of the residuals of the model, in spreads, above 0.
    pub residual_spread: Vec<f32>,
}

impl Baselines {
    /// The baselines in the calibration of a release.
    pub fn new(recipe: &Recipe, calibration: &Calibration) -> Baselines {
        let mut by_role: HashMap<NodeKind, HashMap<String, Baseline>> = HashMap::new();
        for role in &calibration.roles {
            let baseline = Baseline {
                is_of_role: !role.role.is_empty(),
                centre: role.centre.clone(),
                spread: role.spread.clone(),
                residual_centre: role.residual_centre.clone(),
                residual_spread: role.residual_spread.clone(),
            };
            by_role.entry(role.kind.clone()).or_default().insert(role.role.clone(), baseline);
        }
        Baselines { scales: ColumnScale::for_recipe(recipe), by_role }
    }

    /// The baseline of a node's role, or of its kind if the role has none.
    pub fn baseline(&self, node: &Node) -> Option<&Baseline> {
        let roles = self.by_role.get(&node.kind)?;
        roles.get(&node.role).or_else(|| roles.get(""))
    }

    /// The scale of each column of the recipe.
    pub fn scales(&self) -> &[ColumnScale] {
        &self.scales
    }

    /// The deviation of each value of a node from its baseline, in spreads. `None` where the value
    /// is missing.
    pub(crate) fn deviations(&self, node: &Node, row: &[Option<f32>]) -> impl Iterator<Item = Option<f32>> {
        let baseline = self.baseline(node);
        row.iter().zip(&self.scales).enumerate().map(move |(column, (raw, scale))| {
            let transformed = scale.transform((*raw)?);
            match baseline.and_then(|baseline| Some((*baseline.centre.get(column)?, *baseline.spread.get(column)?))) {
                Some((centre, spread)) => Some((transformed - centre) / spread),
                // A kind without a baseline has nothing but the floor to compare with.
                None => Some(transformed / scale.floor()),
            }
        })
    }
}
