//! Fits baselines to healthy graphs.

use std::collections::HashMap;

use schemas::{NodeKind, RoleCalibration};

use crate::{
    HostGraph,
    column_values::ColumnValues,
    recipe::{ColumnScale, Recipe},
    statistics::{quantile, robust_spread},
};

/// The 99th percentile of a normal distribution, in standard deviations.
const P99_IN_SIGMA: f32 = 2.326;
/// The upper quartile of a normal distribution, in standard deviations.
const P75_IN_SIGMA: f32 = 0.6745;
/// Roles with fewer node-sweeps than this have at least the spread of their kind.
const MIN_OBSERVATIONS: i64 = 10;
/// Factor on the floor of a level in the baseline of a kind.
const LEVEL_WIDENING: f32 = 4.0;

/// Fits centre and spread of each column for every role in the graphs, and for every kind as the
/// fallback. The residual figures are those of a model that explains nothing;
/// [`crate::anomaly::fit_residuals`] replaces them.
pub fn fit(recipe: &Recipe, graphs: &[HostGraph]) -> Vec<RoleCalibration> {
    let scales = ColumnScale::for_recipe(recipe);
    let mut samples: HashMap<(&NodeKind, &str), RoleSamples> = HashMap::new();
    for graph in graphs {
        let values = ColumnValues::new(recipe, graph);
        for (index, node) in graph.nodes().iter().enumerate() {
            let samples = samples.entry((&node.kind, node.role.as_str()));
            samples.or_insert_with(|| RoleSamples::new(scales.len())).add(&scales, values.row(index));
        }
    }
    let mut kinds: HashMap<&NodeKind, KindCentres> = HashMap::new();
    let mut roles = Vec::with_capacity(samples.len());
    for ((kind, role), samples) in samples {
        let (has_values, fitted) = samples.fit(kind, role, &scales);
        kinds.entry(kind).or_insert_with(|| KindCentres::new(scales.len())).add(&has_values, &fitted);
        roles.push(fitted);
    }
    let kinds: Vec<RoleCalibration> = kinds.into_iter().map(|(kind, centres)| centres.fit(kind, &scales)).collect();
    widen_rare_roles(&mut roles, &kinds);
    roles.extend(kinds);
    roles.sort_by(|a, b| (&a.kind, &a.role).cmp(&(&b.kind, &b.role)));
    roles
}

/// The transformed values of one role, per column.
struct RoleSamples {
    observations: i64,
    columns: Vec<Vec<f32>>,
}

impl RoleSamples {
    fn new(n_columns: usize) -> Self {
        RoleSamples { observations: 0, columns: vec![Vec::new(); n_columns] }
    }

    fn add(&mut self, scales: &[ColumnScale], row: &[Option<f32>]) {
        self.observations += 1;
        for ((values, scale), raw) in self.columns.iter_mut().zip(scales).zip(row) {
            values.extend(raw.map(|raw| scale.transform(raw)));
        }
    }

    /// The baseline of the role, and which columns it has values for.
    fn fit(self, kind: &NodeKind, role: &str, scales: &[ColumnScale]) -> (Vec<bool>, RoleCalibration) {
        let has_values = self.columns.iter().map(|values| !values.is_empty()).collect();
        let fitted = self.columns.into_iter().zip(scales).map(|(values, scale)| centre_and_spread(values, scale));
        (has_values, without_model(kind, role, self.observations, fitted.unzip()))
    }
}

/// The centres of the roles of one kind, per column. Each role counts once, however many processes
/// it has and however busy they are.
struct KindCentres {
    observations: i64,
    columns: Vec<Vec<f32>>,
}

impl KindCentres {
    fn new(n_columns: usize) -> Self {
        KindCentres { observations: 0, columns: vec![Vec::new(); n_columns] }
    }

    fn add(&mut self, has_values: &[bool], role: &RoleCalibration) {
        self.observations += role.observations;
        for ((centres, has_values), centre) in self.columns.iter_mut().zip(has_values).zip(&role.centre) {
            centres.extend(has_values.then_some(*centre));
        }
    }

    /// The baseline of the kind, for roles without a baseline. One busy role among many does not
    /// make it normal to be busy.
    fn fit(self, kind: &NodeKind, scales: &[ColumnScale]) -> RoleCalibration {
        let fitted = self.columns.into_iter().zip(scales).map(|(mut centres, scale)| {
            let centre = quantile(&mut centres, 0.5).unwrap_or(0.0);
            let upper = quantile(&mut centres, 0.75).unwrap_or(centre);
            let widening = if scale.is_level { LEVEL_WIDENING } else { 1.0 };
            (centre, ((upper - centre) / P75_IN_SIGMA).max(scale.floor_at(centre) * widening))
        });
        without_model(kind, "", self.observations, fitted.unzip())
    }
}

/// The calibration of a role for a model that explains nothing.
fn without_model(
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

/// The median, and the larger of two robust spreads: around the middle, and out to the 99th
/// percentile, which covers bursts that the middle does not show.
fn centre_and_spread(mut values: Vec<f32>, scale: &ColumnScale) -> (f32, f32) {
    let centre = quantile(&mut values, 0.5).unwrap_or(0.0);
    let p99 = quantile(&mut values, 0.99).unwrap_or(centre);
    let spread = robust_spread(&values, centre).max((p99 - centre) / P99_IN_SIGMA);
    (centre, spread.max(scale.floor_at(centre)))
}

/// Gives rare roles at least the spread of their kind: a few samples do not show what is usual.
fn widen_rare_roles(roles: &mut [RoleCalibration], kinds: &[RoleCalibration]) {
    for role in roles.iter_mut().filter(|role| role.observations < MIN_OBSERVATIONS) {
        let Some(kind) = kinds.iter().find(|kind| kind.kind == role.kind) else { continue };
        for (spread, of_kind) in role.spread.iter_mut().zip(&kind.spread) {
            *spread = spread.max(*of_kind);
        }
    }
}
