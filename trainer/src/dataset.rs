//! Selection of training data: samples snapshots over time, removes invalid ones and outliers, and
//! splits the rest into a training and a calibration set.

use graph::{HostGraph, MIN_SNAPSHOTS, Profile, Recipe};
use schemas::{ColumnLimit, GraphSnapshot, Timestamp};
use signals::{Class, Signal};

use crate::{TrainerError, outliers, thinning};

/// Smallest number of snapshots in the sample of a large host, if there are as many: fewer do not
/// show how its values change, so its snapshots are thinned out instead.
const MIN_SAMPLE: usize = 30;
/// One snapshot in this many, the latest ones, is held out from fitting for calibration.
const CALIBRATION_DIVISOR: usize = 4;
const PRESSURE_QUANTILE: f64 = 0.99;

/// Decodes encoded snapshots, ordered by time.
///
/// If they hold more than about `max_nodes` nodes together, an evenly spread sample is decoded; if
/// that still holds more, common roles lose nodes. Snapshots that cannot be decoded are skipped.
/// Evidence and coverage are dropped to save memory.
pub fn decode(encoded: Vec<Vec<u8>>, max_nodes: usize) -> Vec<GraphSnapshot> {
    let n_snapshots = encoded.last().map_or(0, |newest| max_snapshots(newest, max_nodes)).min(encoded.len());
    let max_nodes_each = max_nodes / n_snapshots.max(1);
    let drop_unused = |snapshot| GraphSnapshot { evidence: Vec::new(), coverage: Vec::new(), ..snapshot };
    select_evenly(encoded, n_snapshots)
        .iter()
        .filter_map(|bytes| schemas::decode::<GraphSnapshot>(bytes).ok())
        .map(|snapshot| thinning::thin(drop_unused(snapshot), max_nodes_each))
        .collect()
}

/// How many snapshots hold `max_nodes` nodes together, at least [`MIN_SAMPLE`]. Hosts change
/// slowly, so the size of the newest, encoded snapshot is an estimate for the others.
pub(crate) fn max_snapshots(newest: &[u8], max_nodes: usize) -> usize {
    let n_nodes = schemas::decode::<GraphSnapshot>(newest).map_or(1, |newest| newest.nodes.len().max(1));
    (max_nodes / n_nodes).max(MIN_SAMPLE)
}

/// At most `n` items, evenly spread, with the last one.
pub(crate) fn select_evenly<T>(items: Vec<T>, n: usize) -> Vec<T> {
    let length = items.len().max(1);
    let n = n.min(length);
    let is_selected = |index: usize| (index + 1) * n / length > index * n / length;
    items.into_iter().enumerate().filter(|(index, _)| is_selected(*index)).map(|(_, item)| item).collect()
}

/// Training data of one cohort.
#[derive(Debug)]
pub struct Dataset {
    /// Encoding of the columns that the snapshots declare.
    pub recipe: Recipe,
    /// Graphs for fitting, ordered by time.
    pub training_set: Vec<HostGraph>,
    /// Graphs for calibration, all later than the training set; ordered by host, then by time.
    pub calibration_set: Vec<HostGraph>,
    /// Number of snapshots that were removed as outliers.
    pub n_outliers: usize,
    /// 99th percentile of each pressure column.
    pub pressure_limits: Vec<ColumnLimit>,
}

impl Dataset {
    /// Checks the snapshots of a cohort, removes outliers and splits the rest.
    ///
    /// Skips duplicates, snapshots that are not valid graphs, and those without any node that the
    /// profile reads.
    ///
    /// # Errors
    /// [`TrainerError::TooFewSnapshots`] if fewer than [`MIN_SNAPSHOTS`] remain.
    pub fn new(cohort: &str, profile: Profile, snapshots: Vec<GraphSnapshot>) -> Result<Dataset, TrainerError> {
        let is_readable = |graph: &HostGraph| profile == Profile::Default || graph::classic::encode(graph).nodes > 0;
        let mut graphs: Vec<_> =
            snapshots.into_iter().filter_map(|snapshot| HostGraph::new(snapshot).ok()).filter(is_readable).collect();
        graphs.sort_by(|a, b| host_and_time(a).cmp(&host_and_time(b)));
        graphs.dedup_by(|a, b| identity(a) == identity(b));
        if graphs.len() < MIN_SNAPSHOTS {
            return Err(TrainerError::TooFewSnapshots {
                cohort: cohort.to_owned(),
                found: graphs.len(),
                expected: MIN_SNAPSHOTS,
            });
        }
        let recipe = Recipe::for_snapshots(profile, graphs.iter().map(HostGraph::snapshot));
        let pressure_limits = pressure_limits(&graphs);
        let n_outliers = outliers::remove(&recipe, &mut graphs);
        graphs.sort_by_key(ended_at);
        let mut calibration_set = graphs.split_off(graphs.len() - graphs.len() / CALIBRATION_DIVISOR);
        calibration_set.sort_by(|a, b| host_and_time(a).cmp(&host_and_time(b)));
        Ok(Dataset { recipe, training_set: graphs, calibration_set, n_outliers, pressure_limits })
    }

    /// End times of the oldest and of the newest snapshot.
    pub fn time_range(&self) -> (Timestamp, Timestamp) {
        let times = || self.training_set.iter().chain(&self.calibration_set).map(ended_at);
        (times().min().unwrap_or_default(), times().max().unwrap_or_default())
    }

    /// Interval between two sweeps, in seconds.
    pub fn interval_s(&self) -> f64 {
        self.calibration_set.first().map_or(1.0, |graph| graph.snapshot().interval_ms.max(1) as f64 / 1000.0)
    }
}

fn ended_at(graph: &HostGraph) -> Timestamp {
    graph.snapshot().ended_at
}

fn host_and_time(graph: &HostGraph) -> (&str, Timestamp, i64) {
    (&graph.snapshot().host, ended_at(graph), graph.snapshot().sequence)
}

fn identity(graph: &HostGraph) -> (&str, &str, i64) {
    let snapshot = graph.snapshot();
    (&snapshot.host, &snapshot.run, snapshot.sequence)
}

fn is_pressure(column: &str) -> bool {
    Signal::from_name(column).is_some_and(|signal| matches!(signal.class(), Class::Pressure(_)))
}

/// The 99th percentile over all graphs of the largest value of each pressure column.
fn pressure_limits(graphs: &[HostGraph]) -> Vec<ColumnLimit> {
    let columns = Recipe::for_snapshots(Profile::Default, graphs.iter().map(HostGraph::snapshot)).columns;
    let names = columns.into_iter().map(|column| column.name).filter(|name| is_pressure(name));
    names
        .filter_map(|name| {
            let largest = |graph: &HostGraph| graph.snapshot().column(&name)?.values.iter().copied().reduce(f32::max);
            let mut values: Vec<f32> = graphs.iter().filter_map(largest).collect();
            let limit = graph::statistics::quantile(&mut values, PRESSURE_QUANTILE)?;
            Some(ColumnLimit { name, limit })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_has_the_wanted_number_of_items_and_the_last_one() {
        for (length, n) in [(60, 15), (60, 59), (60, 60), (60, 100), (61, 30), (1, 1), (7, 0), (0, 3)] {
            let selected = select_evenly((0..length).collect(), n);
            assert_eq!(selected.len(), n.min(length), "{n} of {length}");
            assert!(n == 0 || selected.last().copied() == length.checked_sub(1), "{n} of {length}: {selected:?}");
            let gaps: Vec<_> = selected.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(gaps.iter().max().unwrap_or(&0) - gaps.iter().min().unwrap_or(&0) <= 1, "{n} of {length}");
        }
    }
}
