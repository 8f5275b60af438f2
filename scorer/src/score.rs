//! One snapshot judged: every node's score, by the model.

use graph::{GraphError, HostGraph, NodeScore, anomaly, classic, features};
use schemas::GraphSnapshot;
use thiserror::Error;

use crate::model::{Model, ModelError};

/// A sweep with what the model says of its nodes.
pub struct Judged {
    /// The sweep.
    pub graph: HostGraph,
    /// A score for each node, in units of the alarm threshold.
    pub scores: Vec<NodeScore>,
    /// The name and unit of each column that a deviation may point to.
    pub columns: Vec<(String, String)>,
}

impl Judged {
    /// The column that deviates most at this node.
    pub fn trouble(&self, node: usize) -> Option<&str> {
        let column = self.scores[node].deviations.first()?.column;
        self.columns.get(column).map(|(name, _)| name.as_str())
    }

    /// The columns that deviate at this node and how much, in spreads, the strongest first.
    pub fn troubles(&self, node: usize) -> impl Iterator<Item = (&str, f32)> {
        let deviations = self.scores[node].deviations.iter();
        deviations.filter_map(|deviation| Some((self.columns.get(deviation.column)?.0.as_str(), deviation.strength)))
    }

    /// Whether the node is beyond the alarm threshold and may be a suspect.
    pub fn alarms(&self, node: usize) -> bool {
        self.scores[node].score > 1.0 && anomaly::may_be_suspect(&self.graph.nodes()[node].kind)
    }
}

/// Why a snapshot was not judged.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// It is no sound graph.
    #[error("unsound snapshot: {0}")]
    Unsound(#[from] GraphError),
    /// The model failed on it.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Checks, encodes, reconstructs and scores.
///
/// # Errors
/// If the snapshot is unsound or the model fails on it.
pub fn judge(model: &Model, snapshot: GraphSnapshot) -> Result<Judged, ScoreError> {
    let graph = HostGraph::new(snapshot)?;
    let encoded = features::encode(model.recipe(), model.scaler(), &graph);
    let reconstruction = model.reconstruct(&encoded)?;
    let threshold = model.release().calibration.threshold;
    let scores = anomaly::judge(model.recipe(), model.scaler(), threshold, &graph, &encoded, &reconstruction);
    Ok(Judged { graph, scores, columns: column_names(model) })
}

fn column_names(model: &Model) -> Vec<(String, String)> {
    match model.recipe().profile {
        graph::Profile::Classic => classic::FEATURES.iter().map(|name| ((*name).to_owned(), String::new())).collect(),
        graph::Profile::Default => {
            model.recipe().columns.iter().map(|column| (column.name.clone(), column.unit.to_string())).collect()
        }
    }
}
