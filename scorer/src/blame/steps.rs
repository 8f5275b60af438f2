//! The steps of a blame path: from a node to what it waits for, lacks or depends on.

use schemas::{Edge, EdgeBasis, EdgeKind, NodeKind};
use signals::{Class, Resource};

use super::index::SweepIndex;
use crate::score::{ScoredColumn, ScoredGraph};

/// A node that lacks a resource has exhausted it itself if its use deviates by at least this part
/// of the deviation of the lack.
const MIN_USE_TO_LACK_RATIO: f32 = 0.5;

/// A node at the end of a blame path is blamed above this score, which is below the alarm threshold
/// of 1: the nodes that wait for it or lack its resource are evidence too.
pub(super) const MIN_BLAMED_SCORE: f32 = 0.5;

/// Enclosing control groups that are searched for the one that holds up a process. The kernel has
/// no limit, but deeper nesting is not found on real hosts.
const MAX_GROUP_DEPTH: usize = 64;

/// Edges along which a failure of the target does not make the source fail.
const NOT_BLAMED: [EdgeKind; 6] = [
    EdgeKind::Parent,
    EdgeKind::Opens,
    EdgeKind::MemberOf,
    EdgeKind::HoldsLock,
    EdgeKind::WaitsLock,
    EdgeKind::WaitsFor,
];

/// One step of a blame path.
#[derive(Clone, Copy)]
pub(super) enum BlameStep {
    /// Blame moves to `node`, along the lock of `locked_file` if there is one.
    To { node: usize, locked_file: Option<usize>, is_observed: bool },
    /// The node waits for the lock of `file`, whose holder is not visible.
    InvisibleHolder { file: usize },
    /// The node is the end of the path.
    End,
}

/// Finds the next step of a blame path from a node.
///
/// The node's own wait comes first, then the resource that its symptom says it lacks, then a
/// dependency that fails too.
pub(super) fn next_step(index: &SweepIndex<'_>, node: usize) -> BlameStep {
    let scored = index.scored;
    let symptom = own_symptom(scored, node).and_then(|column| column.class);
    let may_wait = !scored.is_alarming(node) || symptom.is_some_and(|class| class.is_blocking() || class.is_late());
    if may_wait && let Some(step) = step_to_holder(index, node) {
        return step;
    }
    symptom
        .and_then(|class| {
            step_to_group(index, node, class)
                .or_else(|| step_to_filesystem(scored, node, class))
                .or_else(|| step_to_member(scored, node, class))
                .or_else(|| step_to_consumer(index, node, class))
        })
        .or_else(|| step_to_failed_dependency(index, node))
        .unwrap_or(BlameStep::End)
}

/// The symptom of the node itself.
///
/// For a node that lacks a resource and uses much more of it than normal, that is the use: hogs
/// starve each other, and an exhausted limit holds up the node that exhausted it.
pub(super) fn own_symptom(scored: &ScoredGraph, node: usize) -> Option<&ScoredColumn> {
    let symptom = scored.symptom(node)?;
    let Some(resource) = symptom.class.and_then(Class::lacked_resource) else { return Some(symptom) };
    let lack = scored.scores[node].deviations.first().map_or(0.0, |deviation| deviation.strength);
    let is_cause =
        |column: &ScoredColumn, strength: f32| consumes(column, resource) && strength >= lack * MIN_USE_TO_LACK_RATIO;
    let use_of_resource = scored.symptoms(node).find(|(column, strength)| is_cause(column, *strength));
    Some(use_of_resource.map_or(symptom, |(column, _)| column))
}

/// A node that waits for a lock or for a reader blames the holder or the reader.
fn step_to_holder(index: &SweepIndex<'_>, node: usize) -> Option<BlameStep> {
    let scored = index.scored;
    if scored.graph.nodes()[node].kind == NodeKind::File {
        return scored.is_alarming(node).then(|| find_holder(index, node).unwrap_or(BlameStep::End));
    }
    let longest = |kind: EdgeKind| {
        let waits = scored.graph.dependencies(node).filter(|(edge, _)| edge.kind == kind && edge.blocked_ms.is_some());
        waits.max_by(|(a, _), (b, _)| wait_priority(a).total_cmp(&wait_priority(b)))
    };
    let file = longest(EdgeKind::WaitsLock).map(|(_, file)| file);
    if let Some((edge, holder)) = longest(EdgeKind::WaitsFor) {
        return Some(BlameStep::To { node: holder, locked_file: file, is_observed: is_observed(edge) });
    }
    let file = file?;
    Some(find_holder(index, file).unwrap_or(BlameStep::InvisibleHolder { file }))
}

/// Prefers longer waits; among equal ones, observed to inferred.
fn wait_priority(edge: &Edge) -> f32 {
    edge.blocked_ms.unwrap_or(0.0) + if is_observed(edge) { 0.5 } else { 0.0 }
}

fn find_holder(index: &SweepIndex<'_>, file: usize) -> Option<BlameStep> {
    let (holder, is_observed) = index.holder(file)?;
    Some(BlameStep::To { node: holder, locked_file: Some(file), is_observed })
}

/// A process that is held up blames the control group that holds it up: its own or an enclosing
/// one.
fn step_to_group(index: &SweepIndex<'_>, node: usize, symptom: Class) -> Option<BlameStep> {
    if !symptom.is_late() && symptom.lacked_resource().is_none() {
        return None;
    }
    let scored = index.scored;
    let holds_up = |group: &usize| {
        let group_symptom = scored.symptom(*group).and_then(|column| column.class);
        *group != node && scored.is_alarming(*group) && group_symptom.is_some_and(holds_up_members)
    };
    let groups = std::iter::successors(index.group(node), |group| index.group(*group));
    let group = groups.take(MAX_GROUP_DEPTH).find(holds_up)?;
    Some(BlameStep::To { node: group, locked_file: None, is_observed: true })
}

/// Whether a control group with this symptom keeps its processes from running.
fn holds_up_members(symptom: Class) -> bool {
    matches!(symptom, Class::Suspended | Class::Limit(Resource::Cpu | Resource::Memory))
}

/// A process whose writes fail blames the full filesystem.
fn step_to_filesystem(scored: &ScoredGraph, node: usize, symptom: Class) -> Option<BlameStep> {
    if symptom != Class::Failure(Some(Resource::StorageSpace)) {
        return None;
    }
    let full = Some(Class::Limit(Resource::StorageSpace));
    let is_full = |filesystem: usize| scored.symptom(filesystem).is_some_and(|column| column.class == full);
    let filesystems =
        scored.graph.dependencies(node).filter(|(edge, _)| edge.kind == EdgeKind::Opens).map(|(_, other)| other);
    let filesystem = filesystems.filter(|other| scored.is_alarming(*other)).find(|other| is_full(*other))?;
    Some(BlameStep::To { node: filesystem, locked_file: None, is_observed: true })
}

/// A control group at its limit or a full filesystem blames the user with the most abnormal use.
fn step_to_member(scored: &ScoredGraph, node: usize, symptom: Class) -> Option<BlameStep> {
    let (relation, resource) = match symptom {
        Class::Limit(resource @ (Resource::Cpu | Resource::Memory)) => (EdgeKind::MemberOf, resource),
        Class::Limit(Resource::StorageSpace) => (EdgeKind::Opens, Resource::StorageSpace),
        _ => return None,
    };
    let users = || scored.graph.dependants(node).filter(|(edge, _)| edge.kind == relation);
    let user = most_abnormal_consumer(scored, users().map(|(_, user)| user), resource)?;
    let is_observed = users().any(|(edge, other)| other == user && is_observed(edge));
    Some(BlameStep::To { node: user, locked_file: None, is_observed })
}

/// A node that lacks a resource blames the node of the host with the most abnormal use of it.
fn step_to_consumer(index: &SweepIndex<'_>, node: usize, symptom: Class) -> Option<BlameStep> {
    let consumer = index.most_abnormal_consumer(symptom.lacked_resource()?, node)?;
    Some(BlameStep::To { node: consumer, locked_file: None, is_observed: false })
}

/// The node with the highest score among those that use more of the resource than normal.
fn most_abnormal_consumer(
    scored: &ScoredGraph,
    nodes: impl Iterator<Item = usize>,
    resource: Resource,
) -> Option<usize> {
    nodes
        .filter(|&node| scored.scores[node].score > MIN_BLAMED_SCORE)
        .filter(|&node| scored.symptoms(node).any(|(column, _)| consumes(column, resource)))
        .max_by(|&a, &b| scored.scores[a].score.total_cmp(&scored.scores[b].score))
}

fn consumes(column: &ScoredColumn, resource: Resource) -> bool {
    column.class.is_some_and(|class| class.consumes(resource))
}

/// A node blames the dependency with the highest score that fails too.
fn step_to_failed_dependency(index: &SweepIndex<'_>, node: usize) -> Option<BlameStep> {
    let scored = index.scored;
    // A dependency that waits for this node does not make it fail.
    let has_failed = |(edge, other): &(&Edge, usize)| {
        !NOT_BLAMED.contains(&edge.kind) && scored.is_alarming(*other) && !index.waits_for(*other, node)
    };
    let (_, dependency) = scored
        .graph
        .dependencies(node)
        .filter(has_failed)
        .max_by(|(_, a), (_, b)| scored.scores[*a].score.total_cmp(&scored.scores[*b].score))?;
    Some(BlameStep::To { node: dependency, locked_file: None, is_observed: false })
}

fn is_observed(edge: &Edge) -> bool {
    edge.basis == EdgeBasis::Observed
}
