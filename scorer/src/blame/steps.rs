//! The steps of blame: from a node to what it waits for, lacks or depends on.

use std::collections::HashSet;

use schemas::{Edge, EdgeBasis, EdgeKind, NodeKind};
use signals::{Class, Resource};

use crate::score::{Judged, ScoredColumn};

/// A deviation of what it uses that is this part of the deviation of what it lacks says that a node has used it up itself.
const USES_IT_UP: f32 = 0.5;

/// One who takes a resource from others is blamed from this score on, below the alarm threshold: that others starve speaks too.
pub(super) const TAKES_FROM_OTHERS: f32 = 0.5;

/// Relations along which a failure does not travel from the one depended on.
const NOT_BLAMED: [EdgeKind; 6] = [
    EdgeKind::Parent,
    EdgeKind::Opens,
    EdgeKind::MemberOf,
    EdgeKind::HoldsLock,
    EdgeKind::WaitsLock,
    EdgeKind::WaitsFor,
];

/// Where blame went from one who suffers.
pub(super) struct Walk {
    /// The node at its end.
    pub end: usize,
    /// False if what it ends at is due to someone who cannot be seen.
    pub is_known: bool,
    /// Whether every step was observed and none inferred.
    pub is_observed: bool,
    /// The last file whose lock it went along.
    pub file: Option<usize>,
}

/// One step of a walk.
enum Step {
    /// Blame goes on to this node.
    To { node: usize, file: Option<usize>, is_observed: bool },
    /// It is due to someone who cannot be seen; this file is all that is known.
    Unknown { file: usize },
    /// It ends here.
    End,
}

/// Walks from a node along what it waits for.
pub(super) fn walk(judged: &Judged, from: usize) -> Walk {
    let mut walk = Walk { end: from, is_known: true, is_observed: true, file: None };
    let mut seen = HashSet::from([from]);
    loop {
        match step(judged, walk.end) {
            Step::To { node, file, is_observed } if seen.insert(node) => {
                walk.end = node;
                walk.file = file.or(walk.file);
                walk.is_observed &= is_observed;
            }
            Step::Unknown { file } => {
                return Walk { end: file, is_known: false, is_observed: walk.is_observed, file: Some(file) };
            }
            // Who is held up by a limit that it used up itself is further on than the limit.
            Step::To { node, .. } if judged.graph.nodes()[walk.end].kind == NodeKind::Cgroup => {
                walk.end = node;
                return walk;
            }
            // In a ring of waiters nobody is further on than the one where it closes.
            Step::To { .. } | Step::End => return walk,
        }
    }
}

fn step(judged: &Judged, node: usize) -> Step {
    let symptom = own_symptom(judged, node).and_then(|column| column.class);
    let is_waiting = !judged.alarms(node) || symptom.is_some_and(|class| class.is_blocking() || class.is_late());
    if is_waiting && let Some(step) = step_to_holder(judged, node) {
        return step;
    }
    symptom
        .and_then(|class| {
            step_to_group(judged, node, class)
                .or_else(|| step_to_filesystem(judged, node, class))
                .or_else(|| step_to_member(judged, node, class))
                .or_else(|| step_to_consumer(judged, node, class))
        })
        .or_else(|| step_to_failed_dependency(judged, node))
        .unwrap_or(Step::End)
}

fn step_to_holder(judged: &Judged, node: usize) -> Option<Step> {
    if judged.graph.nodes()[node].kind == NodeKind::File {
        return judged.alarms(node).then(|| holder_of(judged, node).unwrap_or(Step::End));
    }
    let longest = |kind: EdgeKind| {
        let waits = judged.graph.dependencies(node).filter(|(edge, _)| edge.kind == kind && edge.blocked_ms.is_some());
        waits.max_by(|(a, _), (b, _)| wait_order(a).total_cmp(&wait_order(b)))
    };
    let file = longest(EdgeKind::WaitsLock).map(|(_, file)| file);
    if let Some((edge, holder)) = longest(EdgeKind::WaitsFor) {
        return Some(Step::To { node: holder, file, is_observed: edge.basis == EdgeBasis::Observed });
    }
    let file = file?;
    Some(holder_of(judged, file).unwrap_or(Step::Unknown { file }))
}

/// A longer wait first, and what was observed before what was inferred.
fn wait_order(edge: &Edge) -> f32 {
    edge.blocked_ms.unwrap_or(0.0) + if edge.basis == EdgeBasis::Observed { 0.5 } else { 0.0 }
}

fn holder_of(judged: &Judged, file: usize) -> Option<Step> {
    let holds = |(edge, _): &(&Edge, usize)| edge.kind == EdgeKind::HoldsLock;
    let (edge, holder) = judged.graph.dependants(file).find(holds)?;
    Some(Step::To { node: holder, file: Some(file), is_observed: edge.basis == EdgeBasis::Observed })
}

/// A process that is held up blames the control group, its own or one around that, which holds it up.
fn step_to_group(judged: &Judged, node: usize, symptom: Class) -> Option<Step> {
    if !symptom.is_late() && symptom.lacked_resource().is_none() {
        return None;
    }
    let (mut at, mut seen) = (node, HashSet::from([node]));
    loop {
        let (_, group) = judged
            .graph
            .dependencies(at)
            .find(|(edge, group)| edge.kind == EdgeKind::MemberOf && seen.insert(*group))?;
        if judged.alarms(group) && judged.symptom(group).and_then(|column| column.class).is_some_and(holds_members_up) {
            return Some(Step::To { node: group, file: None, is_observed: true });
        }
        at = group;
    }
}

/// Whether a control group with this symptom keeps the processes in it from running.
fn holds_members_up(symptom: Class) -> bool {
    matches!(symptom, Class::Suspended | Class::Limit(Resource::Cpu | Resource::Memory))
}

/// Who cannot write blames the filesystem that is full.
fn step_to_filesystem(judged: &Judged, node: usize, symptom: Class) -> Option<Step> {
    if symptom != Class::Failure(Some(Resource::StorageSpace)) {
        return None;
    }
    let full = Some(Class::Limit(Resource::StorageSpace));
    let is_full = |filesystem: usize| judged.symptom(filesystem).is_some_and(|column| column.class == full);
    let filesystems =
        judged.graph.dependencies(node).filter(|(edge, _)| edge.kind == EdgeKind::Opens).map(|(_, other)| other);
    let filesystem = filesystems.filter(|other| judged.alarms(*other)).find(|other| is_full(*other))?;
    Some(Step::To { node: filesystem, file: None, is_observed: true })
}

/// A group at its limit, or a filesystem that is full, blames the one of those who use it that uses much more than is normal.
fn step_to_member(judged: &Judged, node: usize, symptom: Class) -> Option<Step> {
    let (relation, resource) = match symptom {
        Class::Limit(resource @ (Resource::Cpu | Resource::Memory)) => (EdgeKind::MemberOf, resource),
        Class::Limit(Resource::StorageSpace) => (EdgeKind::Opens, Resource::StorageSpace),
        _ => return None,
    };
    let users = || judged.graph.dependants(node).filter(|(edge, _)| edge.kind == relation);
    let user = worst(judged, users().map(|(_, user)| user), resource)?;
    let is_observed = users().any(|(edge, other)| other == user && edge.basis == EdgeBasis::Observed);
    Some(Step::To { node: user, file: None, is_observed })
}

/// The one of them that deviates most, of those that use more of that.
fn worst(judged: &Judged, nodes: impl Iterator<Item = usize>, resource: Resource) -> Option<usize> {
    nodes
        .filter(|&node| judged.scores[node].score > TAKES_FROM_OTHERS)
        .filter(|&node| judged.symptoms(node).any(|(column, _)| consumes(column, resource)))
        .max_by(|&a, &b| judged.scores[a].score.total_cmp(&judged.scores[b].score))
}

/// The trouble that a node is in by itself. One that lacks a resource and uses much more of it than is normal lacks it for that:
/// hogs starve each other, and a limit that is used up holds up the one that used it up.
pub(super) fn own_symptom(judged: &Judged, node: usize) -> Option<&ScoredColumn> {
    let symptom = judged.symptom(node)?;
    let Some(resource) = symptom.class.and_then(Class::lacked_resource) else { return Some(symptom) };
    let lack = judged.scores[node].deviations.first().map_or(0.0, |deviation| deviation.strength);
    let uses =
        judged.symptoms(node).find(|(column, strength)| consumes(column, resource) && *strength >= lack * USES_IT_UP);
    Some(uses.map_or(symptom, |(column, _)| column))
}

fn consumes(column: &ScoredColumn, resource: Resource) -> bool {
    column.class.is_some_and(|class| class.consumes(resource))
}

/// Who starves for a resource blames the one that uses much more of it than is normal.
fn step_to_consumer(judged: &Judged, node: usize, symptom: Class) -> Option<Step> {
    let resource = symptom.lacked_resource()?;
    let others = (0..judged.graph.nodes().len()).filter(|&other| other != node);
    let consumer = worst(judged, others, resource)?;
    Some(Step::To { node: consumer, file: None, is_observed: false })
}

/// Who depends on one that has failed too blames that one.
fn step_to_failed_dependency(judged: &Judged, node: usize) -> Option<Step> {
    // One who is waited for does not fail because of the one who waits.
    let waits_for_it = |other: usize| {
        let mut waits = judged.graph.dependencies(other).filter(|(edge, _)| edge.kind == EdgeKind::WaitsFor);
        waits.any(|(edge, target)| target == node && edge.blocked_ms.is_some())
    };
    let failed = |(edge, other): &(&Edge, usize)| {
        !NOT_BLAMED.contains(&edge.kind) && judged.alarms(*other) && !waits_for_it(*other)
    };
    let (_, other) = judged
        .graph
        .dependencies(node)
        .filter(failed)
        .max_by(|(_, a), (_, b)| judged.scores[*a].score.total_cmp(&judged.scores[*b].score))?;
    Some(Step::To { node: other, file: None, is_observed: false })
}
