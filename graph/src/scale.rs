//! What is normal for a role: robust centre and spread of each column.

use std::collections::HashMap;

use schemas::{Calibration, Node, NodeKind, RoleCalibration};

use crate::{
    HostGraph,
    features::ColumnValues,
    recipe::{ColumnScale, Recipe},
};

/// Median absolute deviation to standard deviation of a normal distribution.
const MAD_TO_SIGMA: f32 = 1.4826;
/// The 99th percentile of a normal distribution, in standard deviations.
const P99_IN_SIGMA: f32 = 2.326;
/// The upper quartile of a normal distribution, in standard deviations.
const P75_IN_SIGMA: f32 = 0.6745;
/// With fewer node-sweeps than this a role says little, and its kind speaks too.
const ENOUGH_OBSERVATIONS: i64 = 10;
/// How much wider a level is taken for a role that was never seen.
const UNKNOWN_LEVEL: f32 = 4.0;

/// Centre and spread of every column for each role, and for each kind as the fallback.
#[derive(Clone, Debug, Default)]
pub struct Scaler {
    scales: Vec<ColumnScale>,
    by_role: HashMap<NodeKind, HashMap<String, Normal>>,
}

/// What is normal for the nodes of one role, per column, in transformed units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normal {
    /// Whether it speaks of the role itself and not of its kind.
    pub is_of_role: bool,
    /// Robust centres.
    pub centre: Vec<f32>,
    /// Robust spreads, above 0.
    pub spread: Vec<f32>,
    /// Centres of what the model does not explain, in spreads.
    pub residual_centre: Vec<f32>,
    /// Spreads of what the model does not explain, in spreads, above 0.
    pub residual_spread: Vec<f32>,
}

impl Scaler {
    /// The scaler that a release carries.
    pub fn of(recipe: &Recipe, calibration: &Calibration) -> Scaler {
        let mut by_role: HashMap<NodeKind, HashMap<String, Normal>> = HashMap::new();
        for role in &calibration.roles {
            let normal = Normal {
                is_of_role: !role.role.is_empty(),
                centre: role.centre.clone(),
                spread: role.spread.clone(),
                residual_centre: role.residual_centre.clone(),
                residual_spread: role.residual_spread.clone(),
            };
            by_role.entry(role.kind.clone()).or_default().insert(role.role.clone(), normal);
        }
        Scaler { scales: column_scales(recipe), by_role }
    }

    /// What is normal for this node: for its role, else for its kind.
    pub fn normal(&self, node: &Node) -> Option<&Normal> {
        let roles = self.by_role.get(&node.kind)?;
        roles.get(&node.role).or_else(|| roles.get(""))
    }

    /// How each column is compared.
    pub fn scales(&self) -> &[ColumnScale] {
        &self.scales
    }
}

/// Fits centre and spread of each column for every role that the graphs show, and for every kind as the fallback. The residual
/// figures are those of a model that explains nothing; [`crate::anomaly::fit_residuals`] sets them.
pub fn fit(recipe: &Recipe, graphs: &[HostGraph]) -> Vec<RoleCalibration> {
    let scales = column_scales(recipe);
    let mut samples: HashMap<(&NodeKind, &str), Samples> = HashMap::new();
    for graph in graphs {
        let values = ColumnValues::of(recipe, graph);
        for (at, node) in graph.nodes().iter().enumerate() {
            let key = (&node.kind, node.role.as_str());
            samples.entry(key).or_insert_with(|| Samples::new(scales.len())).add(&scales, values.row(at));
        }
    }
    let mut votes: HashMap<&NodeKind, Votes> = HashMap::new();
    let mut roles = Vec::with_capacity(samples.len());
    for ((kind, role), samples) in samples {
        let (has_values, fitted) = samples.finish(kind, role, &scales);
        votes.entry(kind).or_insert_with(|| Votes::new(scales.len())).add(&has_values, &fitted);
        roles.push(fitted);
    }
    let kinds: Vec<RoleCalibration> = votes.into_iter().map(|(kind, votes)| votes.finish(kind, &scales)).collect();
    widen_rare_roles(&mut roles, &kinds);
    roles.extend(kinds);
    roles.sort_by(|a, b| (&a.kind, &a.role).cmp(&(&b.kind, &b.role)));
    roles
}

fn column_scales(recipe: &Recipe) -> Vec<ColumnScale> {
    recipe.columns.iter().map(ColumnScale::for_column).collect()
}

/// The transformed values of one role, per column.
struct Samples {
    observations: i64,
    columns: Vec<Vec<f32>>,
}

impl Samples {
    fn new(n_columns: usize) -> Self {
        Samples { observations: 0, columns: vec![Vec::new(); n_columns] }
    }

    fn add(&mut self, scales: &[ColumnScale], row: &[Option<f32>]) {
        self.observations += 1;
        for ((values, scale), raw) in self.columns.iter_mut().zip(scales).zip(row) {
            values.extend(raw.map(|raw| scale.transform(raw)));
        }
    }

    /// What is normal for the role, and which columns it has values of.
    fn finish(self, kind: &NodeKind, role: &str, scales: &[ColumnScale]) -> (Vec<bool>, RoleCalibration) {
        let has_values = self.columns.iter().map(|values| !values.is_empty()).collect();
        let fitted = self.columns.into_iter().zip(scales).map(|(values, scale)| centre_and_spread(values, scale));
        (has_values, explains_nothing(kind, role, self.observations, fitted.unzip()))
    }
}

/// What the roles of one kind have as their centres: each role has one vote, however many its processes and however busy.
struct Votes {
    observations: i64,
    centres: Vec<Vec<f32>>,
}

impl Votes {
    fn new(n_columns: usize) -> Self {
        Votes { observations: 0, centres: vec![Vec::new(); n_columns] }
    }

    fn add(&mut self, has_values: &[bool], role: &RoleCalibration) {
        self.observations += role.observations;
        for ((centres, has_values), centre) in self.centres.iter_mut().zip(has_values).zip(&role.centre) {
            centres.extend(has_values.then_some(*centre));
        }
    }

    /// What a role that was never seen is compared with. One busy role among many does not make it normal to be busy.
    fn finish(self, kind: &NodeKind, scales: &[ColumnScale]) -> RoleCalibration {
        let fitted = self.centres.into_iter().zip(scales).map(|(mut centres, scale)| {
            let centre = quantile(&mut centres, 0.5).unwrap_or(0.0);
            let upper = quantile(&mut centres, 0.75).unwrap_or(centre);
            let widening = if scale.is_level { UNKNOWN_LEVEL } else { 1.0 };
            let floor = scale.floor_at(centre) * widening;
            (centre, ((upper - centre) / P75_IN_SIGMA).max(floor))
        });
        explains_nothing(kind, "", self.observations, fitted.unzip())
    }
}

/// The calibration of a role for a model that explains nothing.
fn explains_nothing(
    kind: &NodeKind,
    role: &str,
    observations: i64,
    (centre, spread): (Vec<f32>, Vec<f32>),
) -> RoleCalibration {
    let n_columns = centre.len();
    RoleCalibration {
        kind: kind.clone(),
        role: role.to_owned(),
        observations,
        centre,
        spread,
        residual_centre: vec![0.0; n_columns],
        residual_spread: vec![1.0; n_columns],
    }
}

/// Median, and the larger of the two robust spreads: around the middle, and out to the 99th percentile, which sees the bursts
/// that the middle does not.
fn centre_and_spread(mut values: Vec<f32>, scale: &ColumnScale) -> (f32, f32) {
    let centre = quantile(&mut values, 0.5).unwrap_or(0.0);
    let p99 = quantile(&mut values, 0.99).unwrap_or(centre);
    let mut deviations: Vec<f32> = values.iter().map(|value| (value - centre).abs()).collect();
    let middle = quantile(&mut deviations, 0.5).unwrap_or(0.0) * MAD_TO_SIGMA;
    (centre, middle.max((p99 - centre) / P99_IN_SIGMA).max(scale.floor_at(centre)))
}

/// A role that was seen a few times only is given at least the spread of its kind, so that its third second is no surprise.
fn widen_rare_roles(roles: &mut [RoleCalibration], kinds: &[RoleCalibration]) {
    for role in roles.iter_mut().filter(|role| role.observations < ENOUGH_OBSERVATIONS) {
        let Some(kind) = kinds.iter().find(|kind| kind.kind == role.kind) else { continue };
        for (spread, of_kind) in role.spread.iter_mut().zip(&kind.spread) {
            *spread = spread.max(*of_kind);
        }
    }
}

/// The `q`-quantile by linear interpolation; sorts `values`.
pub fn quantile(values: &mut [f32], q: f64) -> Option<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
    Some(low + (high - low) * at.fract() as f32)
}
