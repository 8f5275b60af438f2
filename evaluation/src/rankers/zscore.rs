//! The ranker without a model: the robust z-score.

use graph::{HostGraph, Recipe, Scaler, anomaly::may_be_suspect, threshold, zscore};
use schemas::{GraphSnapshot, ModelRelease};

use scorer::score::{Judged, ScoreError, scored_columns};

/// What is normal, and how far from it alarms.
#[derive(Clone, Debug)]
pub struct ZScore {
    recipe: Recipe,
    scaler: Scaler,
    threshold: f32,
}

impl ZScore {
    /// Takes what is normal from a release of the default profile. Its threshold comes from the sweeps that the release was not
    /// fitted to, by the rule and the wanted rate of false alarms that the release's own came by.
    pub fn new(release: &ModelRelease, held_back: &[HostGraph], false_alarms_per_day: f64) -> ZScore {
        let recipe = Recipe { profile: graph::Profile::Default, columns: release.columns.clone() };
        let scaler = Scaler::of(&recipe, &release.calibration);
        let interval_s = held_back.first().map_or(1.0, |graph| graph.snapshot().interval_ms.max(1) as f64 / 1000.0);
        let sweeps: Vec<_> = held_back.iter().map(|graph| scores(&recipe, &scaler, graph)).collect();
        let threshold = threshold::for_rate(&sweeps, interval_s, false_alarms_per_day);
        ZScore { recipe, scaler, threshold }
    }

    pub(super) fn judge(&self, snapshot: GraphSnapshot) -> Result<Judged, ScoreError> {
        let graph = HostGraph::new(snapshot)?;
        let scores = zscore::judge(&self.recipe, &self.scaler, self.threshold, &graph);
        Ok(Judged { graph, scores, columns: scored_columns(&self.recipe) })
    }
}

fn scores(recipe: &Recipe, scaler: &Scaler, graph: &HostGraph) -> Vec<(String, f32)> {
    let scores = zscore::judge(recipe, scaler, 1.0, graph).into_iter().zip(graph.nodes());
    let may_be_suspects = scores.filter(|(_, node)| may_be_suspect(&node.kind));
    may_be_suspects.map(|(score, node)| (node.id.clone(), score.score)).collect()
}
