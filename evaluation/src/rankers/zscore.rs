//! The ranker `zscore`: robust z-scores without a model.

use graph::{Baselines, HostGraph, Profile, Recipe, anomaly::can_be_suspect, threshold, zscore};
use schemas::{GraphSnapshot, ModelRelease};
use scorer::score::{ScoreError, ScoredGraph, scored_columns};

/// Baselines of a model release, and an alarm threshold for z-scores.
#[derive(Clone, Debug)]
pub struct ZScore {
    recipe: Recipe,
    baselines: Baselines,
    threshold: f32,
}

impl ZScore {
    /// Takes the baselines from a release of the default profile. The threshold comes from healthy
    /// sweeps that the release was not fitted to, by the same rule and target rate of false alarms
    /// as the release's own.
    pub fn new(release: &ModelRelease, calibration_set: &[HostGraph], false_alarms_per_day: f64) -> ZScore {
        let recipe = Recipe { profile: Profile::Default, columns: release.columns.clone() };
        let baselines = Baselines::new(&recipe, &release.calibration);
        let interval_s =
            calibration_set.first().map_or(1.0, |graph| graph.snapshot().interval_ms.max(1) as f64 / 1000.0);
        let sweeps: Vec<_> = calibration_set.iter().map(|graph| suspect_scores(&recipe, &baselines, graph)).collect();
        let threshold = threshold::for_rate(&sweeps, interval_s, false_alarms_per_day);
        ZScore { recipe, baselines, threshold }
    }

    pub(super) fn score(&self, snapshot: GraphSnapshot) -> Result<ScoredGraph, ScoreError> {
        let graph = HostGraph::new(snapshot)?;
        let scores = zscore::score_nodes(&self.recipe, &self.baselines, self.threshold, &graph);
        Ok(ScoredGraph { graph, scores, columns: scored_columns(&self.recipe) })
    }
}

fn suspect_scores(recipe: &Recipe, baselines: &Baselines, graph: &HostGraph) -> Vec<(String, f32)> {
    let scores = zscore::score_nodes(recipe, baselines, 1.0, graph).into_iter().zip(graph.nodes());
    let suspects = scores.filter(|(_, node)| can_be_suspect(&node.kind));
    suspects.map(|(score, node)| (node.id.clone(), score.score)).collect()
}
