//! How far a node is from normal without a model: the robust z-score, to compare with.
//!
//! The modified z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993): the distance from the median, on either
//! side, in robust spreads. A node's score is that of its most extreme column, as in the RobustScorer of BARO (Pham, Ha and Zhang,
//! FSE 2024), whose ranking is by the maximum. Centres, spreads and their floors are those of the default profile, so that what
//! differs from it is the model, the side that is trouble, and blame.

use crate::{Deviation, HostGraph, NodeScore, Recipe, Scaler, features::ColumnValues, features::deviations};

/// How many deviations are told of one node.
const TOLD: usize = 3;

/// Scores every node of a graph, in units of the threshold.
pub fn judge(recipe: &Recipe, scaler: &Scaler, threshold: f32, graph: &HostGraph) -> Vec<NodeScore> {
    let values = ColumnValues::of(recipe, graph);
    let judge_node = |at: usize| {
        let normal = scaler.normal(&graph.nodes()[at]);
        let row = values.row(at);
        let found = deviations(scaler, graph, at, row).enumerate().filter_map(|(column, deviation)| {
            let centre = normal.map_or(0.0, |normal| normal.centre[column]);
            let expected = scaler.scales()[column].invert(centre);
            Some(Deviation { column, expected, observed: row[column]?, strength: deviation?.abs() })
        });
        let mut found: Vec<Deviation> = found.collect();
        found.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        found.truncate(TOLD);
        let score = found.first().map_or(0.0, |most| most.strength) / threshold.max(f32::MIN_POSITIVE);
        NodeScore { score, is_known: normal.is_some_and(|normal| normal.is_of_role), deviations: found }
    };
    (0..graph.nodes().len()).map(judge_node).collect()
}
