//! Which snapshots are learned from: sampled over time, sound, without the worst of them, and split in two.

use graph::{HostGraph, Profile, Recipe};
use schemas::{ColumnLimit, GraphSnapshot, Timestamp};

use crate::{TrainerError, trim};

/// With fewer sound snapshots nothing is learned.
pub const FEWEST: usize = 10;
/// One in so many snapshots, the last in time, calibrates and is not fitted.
const HELD_BACK: usize = 4;
const PRESSURE_PREFIX: &str = "psi_";
const PRESSURE_QUANTILE: f64 = 0.99;

/// At most so many items of a stream of unknown length, evenly spread over it, and always its last one.
#[derive(Clone, Debug)]
pub struct Sampler<T> {
    most: usize,
    stride: usize,
    seen: usize,
    kept: Vec<T>,
    last: Option<T>,
}

impl<T> Sampler<T> {
    /// Keeps at most `most` items, and at least 2.
    pub fn new(most: usize) -> Self {
        Sampler { most: most.max(2), stride: 1, seen: 0, kept: Vec::new(), last: None }
    }

    /// Takes the next item in.
    pub fn push(&mut self, item: T) {
        if let Some(previous) = self.last.replace(item) {
            if self.seen.is_multiple_of(self.stride) {
                self.kept.push(previous);
            }
            self.seen += 1;
        }
        // One place stays free for the last item.
        if self.kept.len() >= self.most {
            let mut at = 0;
            self.kept.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.stride *= 2;
        }
    }

    /// What was kept, in order.
    pub fn finish(mut self) -> Vec<T> {
        self.kept.extend(self.last);
        self.kept
    }
}

/// Decodes snapshots, oldest first: all, or evenly chosen so many that they have about `max_nodes` nodes together. What
/// can't be decoded is left out.
pub fn decode(encoded: Vec<Vec<u8>>, max_nodes: usize) -> Vec<GraphSnapshot> {
    let sound = |bytes: &Vec<u8>| schemas::decode::<GraphSnapshot>(bytes).ok();
    // Hosts change slowly, so the newest snapshot tells how large the others are.
    let n_nodes = encoded.last().and_then(sound).map_or(1, |newest| newest.nodes.len().max(1));
    let mut sampler = Sampler::new((max_nodes / n_nodes).max(FEWEST));
    encoded.into_iter().for_each(|bytes| sampler.push(bytes));
    let without_proofs = |snapshot| GraphSnapshot { evidence: Vec::new(), coverage: Vec::new(), ..snapshot };
    sampler.finish().iter().filter_map(sound).map(without_proofs).collect()
}

/// What a model of one cohort is made from.
#[derive(Debug)]
pub struct Dataset {
    /// The columns that these snapshots declare.
    pub recipe: Recipe,
    /// To fit, by time.
    pub fitted: Vec<HostGraph>,
    /// To calibrate, later than all that is fitted; by host, then by time.
    pub held_back: Vec<HostGraph>,
    /// How many were left out because they deviate from the others as trouble does.
    pub n_trimmed: usize,
    /// The 99th percentile of each pressure column.
    pub pressure: Vec<ColumnLimit>,
}

impl Dataset {
    /// Checks the snapshots of a cohort, trims and splits them. Those that are no sound graph, or show nothing that the
    /// profile reads, are left out.
    ///
    /// # Errors
    /// [`TrainerError::TooFew`] if less than [`FEWEST`] remain.
    pub fn new(cohort: &str, profile: Profile, snapshots: Vec<GraphSnapshot>) -> Result<Dataset, TrainerError> {
        let is_readable = |graph: &HostGraph| profile == Profile::Default || graph::classic::encode(graph).nodes > 0;
        let mut graphs: Vec<_> =
            snapshots.into_iter().filter_map(|snapshot| HostGraph::new(snapshot).ok()).filter(is_readable).collect();
        graphs.sort_by(|a, b| by_host_then_time(a).cmp(&by_host_then_time(b)));
        graphs.dedup_by(|a, b| identity(a) == identity(b));
        if graphs.len() < FEWEST {
            return Err(TrainerError::TooFew { cohort: cohort.to_owned(), found: graphs.len(), expected: FEWEST });
        }
        let recipe = Recipe::for_snapshots(profile, graphs.iter().map(HostGraph::snapshot));
        let pressure = pressure_limits(&graphs);
        let n_trimmed = trim::drop_the_worst(&recipe, &mut graphs);
        graphs.sort_by_key(ended_at);
        let mut held_back = graphs.split_off(graphs.len() - graphs.len() / HELD_BACK);
        held_back.sort_by(|a, b| by_host_then_time(a).cmp(&by_host_then_time(b)));
        Ok(Dataset { recipe, fitted: graphs, held_back, n_trimmed, pressure })
    }

    /// When the oldest and the newest snapshot were complete.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let times = || self.fitted.iter().chain(&self.held_back).map(ended_at);
        (times().min().unwrap_or_default(), times().max().unwrap_or_default())
    }

    /// The time between two sweeps, in seconds.
    pub fn interval_s(&self) -> f64 {
        self.held_back.first().map_or(1.0, |graph| graph.snapshot().interval_ms.max(1) as f64 / 1000.0)
    }
}

fn ended_at(graph: &HostGraph) -> Timestamp {
    graph.snapshot().ended_at
}

fn by_host_then_time(graph: &HostGraph) -> (&str, Timestamp, i64) {
    (&graph.snapshot().host, ended_at(graph), graph.snapshot().sequence)
}

fn identity(graph: &HostGraph) -> (&str, &str, i64) {
    let snapshot = graph.snapshot();
    (&snapshot.host, &snapshot.run, snapshot.sequence)
}

fn pressure_limits(graphs: &[HostGraph]) -> Vec<ColumnLimit> {
    let columns = Recipe::for_snapshots(Profile::Default, graphs.iter().map(HostGraph::snapshot)).columns;
    let names = columns.into_iter().map(|column| column.name).filter(|name| name.starts_with(PRESSURE_PREFIX));
    names
        .filter_map(|name| {
            let most = |graph: &HostGraph| graph.snapshot().column(&name)?.values.iter().copied().reduce(f32::max);
            let mut seen: Vec<f32> = graphs.iter().filter_map(most).collect();
            let limit = graph::scale::quantile(&mut seen, PRESSURE_QUANTILE)?;
            Some(ColumnLimit { name, limit })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_the_stream_and_holds_its_last_item() {
        for (most, length) in [(360, 60), (10, 10), (10, 11), (10, 1000), (10, 1023), (2, 7), (0, 3)] {
            let mut sampler = Sampler::new(most);
            (0..length).for_each(|item| sampler.push(item));
            let kept = sampler.finish();
            assert!(kept.len() <= most.max(2) && kept.len() >= most.min(length) / 2, "{most} of {length}: {kept:?}");
            assert_eq!(kept.last(), Some(&(length - 1)));
            let gaps: Vec<_> = kept.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let widest = gaps.iter().max().copied().unwrap_or(0);
            assert!(gaps.iter().rev().skip(1).all(|gap| *gap == widest), "{most} of {length}: {kept:?}");
        }
        assert!(Sampler::<u8>::new(5).finish().is_empty());
    }

    #[test]
    fn a_stream_that_fits_is_kept_whole() {
        let mut sampler = Sampler::new(360);
        (0..360).for_each(|item| sampler.push(item));
        assert_eq!(sampler.finish(), (0..360).collect::<Vec<_>>());
    }
}
