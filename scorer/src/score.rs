//! One snapshot judged: every node's score, by the model.

use graph::{GraphError, HostGraph, NodeScore, Profile, Recipe, anomaly, classic, features};
use schemas::{GraphSnapshot, Unit};
use signals::{Class, Signal};
use thiserror::Error;

use crate::model::{Model, ModelError};

/// A sweep with what the model says of its nodes.
pub struct Judged {
    /// The sweep.
    pub graph: HostGraph,
    /// A score for each node, in units of the alarm threshold.
    pub scores: Vec<NodeScore>,
    /// The columns that a deviation may point to.
    pub columns: Vec<ScoredColumn>,
}

/// A column whose values were scored.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredColumn {
    /// The column's name.
    pub name: String,
    /// The unit of its values.
    pub unit: Unit,
    /// What an abnormal value means, if the column is known.
    pub class: Option<Class>,
}

impl ScoredColumn {
    /// A column with the class that its name has.
    pub fn new(name: &str, unit: Unit) -> ScoredColumn {
        ScoredColumn { name: name.to_owned(), unit, class: class(name) }
    }
}

/// What an abnormal value of the column means, if it is known.
pub fn class(column: &str) -> Option<Class> {
    Signal::from_name(column).map(Signal::class).or_else(|| classic::class(column))
}

impl Judged {
    /// The column that deviates most at this node.
    pub fn symptom(&self, node: usize) -> Option<&ScoredColumn> {
        self.columns.get(self.scores[node].deviations.first()?.column)
    }

    /// The columns that deviate at this node and how much, in spreads, the strongest first.
    pub fn symptoms(&self, node: usize) -> impl Iterator<Item = (&ScoredColumn, f32)> {
        let deviations = self.scores[node].deviations.iter();
        deviations.filter_map(|deviation| Some((self.columns.get(deviation.column)?, deviation.strength)))
    }

    /// Whether the node is beyond the alarm threshold and may be a suspect.
    pub fn alarms(&self, node: usize) -> bool {
        self.scores[node].score > 1.0 && anomaly::can_be_suspect(&self.graph.nodes()[node].kind)
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
    let encoded = features::encode(model.recipe(), model.baselines(), &graph);
    let reconstruction = model.reconstruct(&encoded)?;
    let threshold = model.release().calibration.threshold;
    let scores = anomaly::score_nodes(model.recipe(), model.baselines(), threshold, &graph, &encoded, &reconstruction);
    Ok(Judged { graph, scores, columns: scored_columns(model.recipe()) })
}

/// The columns that deviations under this recipe point to.
pub fn scored_columns(recipe: &Recipe) -> Vec<ScoredColumn> {
    match recipe.profile {
        Profile::Classic => classic::FEATURES.iter().map(|name| ScoredColumn::new(name, Unit::default())).collect(),
        Profile::Default => {
            recipe.columns.iter().map(|column| ScoredColumn::new(&column.name, column.unit.clone())).collect()
        }
    }
}
