//! Anomaly scores without a model: the robust z-score, for comparison.
//!
//! This is the modified z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993):
//! the distance from the median, on either side, in robust spreads. The score of a node is that of
//! its most extreme column, as in the RobustScorer of BARO (Pham, Ha and Zhang, FSE 2024), which
//! ranks by the maximum. Centres, spreads and floors are those of the default profile, so that the
//! only differences to it are the model, the abnormal side, and blame.

use crate::{Baselines, Deviation, HostGraph, NodeScore, Recipe, column_values::ColumnValues};

/// Largest number of deviations that are reported of a node.
const MAX_DEVIATIONS: usize = 3;

/// Scores every node of a graph, in units of the threshold.
pub fn score_nodes(recipe: &Recipe, baselines: &Baselines, threshold: f32, graph: &HostGraph) -> Vec<NodeScore> {
    let values = ColumnValues::new(recipe, graph);
    let score_node = |node: usize| {
        let baseline = baselines.baseline(&graph.nodes()[node]);
        let row = values.row(node);
        let deviations = baselines.deviations(&graph.nodes()[node], row).enumerate();
        let found = deviations.filter_map(|(column, deviation)| {
            let centre = baseline.map_or(0.0, |baseline| baseline.centre[column]);
            let expected = baselines.scales()[column].invert(centre);
            Some(Deviation { column, expected, observed: row[column]?, strength: deviation?.abs() })
        });
        let mut found: Vec<Deviation> = found.collect();
        found.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        found.truncate(MAX_DEVIATIONS);
        let score = found.first().map_or(0.0, |strongest| strongest.strength) / threshold.max(f32::MIN_POSITIVE);
        NodeScore { score, is_known: baseline.is_some_and(|baseline| baseline.is_of_role), deviations: found }
    };
    (0..graph.nodes().len()).map(score_node).collect()
}
