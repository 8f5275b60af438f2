//! Anomaly scores of the nodes of one snapshot.

use graph::{GraphError, HostGraph, NodeScore, Profile, Recipe, anomaly, classic, features};
use schemas::{GraphSnapshot, Unit};
use signals::{Class, Signal};
use thiserror::Error;

use crate::model::{Model, ModelError};

/// A checked graph with the anomaly scores of its nodes.
pub struct ScoredGraph {
    /// The graph of the snapshot.
    pub graph: HostGraph,
    /// Score of each node, in units of the alarm threshold.
    pub scores: Vec<NodeScore>,
    /// Columns that the deviations in `scores` refer to by index.
    pub columns: Vec<ScoredColumn>,
}

/// A column whose values were scored.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredColumn {
    /// Name of the column.
    pub name: String,
    /// Unit of its values.
    pub unit: Unit,
    /// What an abnormal value means to blame; `None`: the column is unknown.
    pub class: Option<Class>,
}

impl ScoredColumn {
    /// A column with the class of its name.
    pub fn new(name: &str, unit: Unit) -> ScoredColumn {
        ScoredColumn { name: name.to_owned(), unit, class: class(name) }
    }
}

/// What an abnormal value of this column means to blame; `None`: the column is unknown.
pub fn class(column: &str) -> Option<Class> {
    Signal::from_name(column).map(Signal::class).or_else(|| classic::class(column))
}

impl ScoredGraph {
    /// The column that deviates most at this node.
    pub fn symptom(&self, node: usize) -> Option<&ScoredColumn> {
        self.columns.get(self.scores[node].deviations.first()?.column)
    }

    /// The columns that deviate at this node with their deviation in spreads, the strongest first.
    pub fn symptoms(&self, node: usize) -> impl Iterator<Item = (&ScoredColumn, f32)> {
        let deviations = self.scores[node].deviations.iter();
        deviations.filter_map(|deviation| Some((self.columns.get(deviation.column)?, deviation.strength)))
    }

    /// Whether the score of the node is above the threshold and its kind can be a suspect.
    pub fn is_alarming(&self, node: usize) -> bool {
        self.scores[node].score > 1.0 && anomaly::can_be_suspect(&self.graph.nodes()[node].kind)
    }

    /// Indices of all alarming nodes.
    pub fn alarming_nodes(&self) -> impl Iterator<Item = usize> {
        (0..self.graph.nodes().len()).filter(|&node| self.is_alarming(node))
    }
}

/// Why a snapshot was not scored.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// The snapshot is not a valid graph.
    #[error("invalid snapshot: {0}")]
    InvalidSnapshot(#[from] GraphError),
    /// The model failed on the graph.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Checks a snapshot and scores its nodes with a model.
///
/// # Errors
/// If the snapshot is not a valid graph, or the model fails on it.
pub fn score_snapshot(model: &Model, snapshot: GraphSnapshot) -> Result<ScoredGraph, ScoreError> {
    let graph = HostGraph::new(snapshot)?;
    let encoded = features::encode(model.recipe(), model.baselines(), &graph);
    let reconstruction = model.reconstruct(&encoded)?;
    let threshold = model.release().calibration.threshold;
    let scores = anomaly::score_nodes(model.recipe(), model.baselines(), threshold, &graph, &encoded, &reconstruction);
    Ok(ScoredGraph { graph, scores, columns: scored_columns(model.recipe()) })
}

/// Columns that deviations refer to with this recipe.
pub fn scored_columns(recipe: &Recipe) -> Vec<ScoredColumn> {
    match recipe.profile {
        Profile::Classic => classic::FEATURES.iter().map(|name| ScoredColumn::new(name, Unit::default())).collect(),
        Profile::Default => {
            recipe.columns.iter().map(|column| ScoredColumn::new(&column.name, column.unit.clone())).collect()
        }
    }
}
