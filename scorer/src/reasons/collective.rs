//! Summaries of collective incidents.

use std::collections::{BTreeMap, HashMap};

use schemas::{EdgeKind, NodeKind};
use signals::Signal;

use crate::{
    blame::{DOES_NOT_READ, HOLDS_LOCK, RootCauseCandidate},
    score::ScoredGraph,
};

/// Number of symptoms in the summary of an incident of several symptoms.
const MAX_SYMPTOMS: usize = 3;
/// Enclosing control groups that are compared for the one that all nodes share.
const MAX_GROUP_DEPTH: usize = 64;

/// Summarizes root causes in one sentence: how many there are, where, and what is wrong with them.
///
/// With `is_overflow` they have several symptoms and are over the limits of `[alarm]`.
pub fn summary(scored: &ScoredGraph, members: &[&RootCauseCandidate], is_overflow: bool) -> String {
    if is_overflow {
        return overflow_summary(scored, members);
    }
    let nodes = count_nodes(scored, members);
    let place = shared_group(scored, members).map(|name| format!(" in cgroup `{name}`")).unwrap_or_default();
    let symptom = members.first().map_or("", |member| label(&member.symptom));
    format!("{nodes}{place}: {symptom}; no common root cause is visible")
}

fn overflow_summary(scored: &ScoredGraph, members: &[&RootCauseCandidate]) -> String {
    let mut by_symptom: BTreeMap<&str, Vec<&RootCauseCandidate>> = BTreeMap::new();
    for member in members {
        by_symptom.entry(label(&member.symptom)).or_default().push(member);
    }
    let mut symptoms: Vec<_> = by_symptom.into_iter().collect();
    symptoms.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let describe =
        |(symptom, members): &(&str, Vec<&RootCauseCandidate>)| format!("{symptom} ({})", count_nodes(scored, members));
    let shown: Vec<String> = symptoms.iter().take(MAX_SYMPTOMS).map(describe).collect();
    let others = match symptoms.len().saturating_sub(MAX_SYMPTOMS) {
        0 => String::new(),
        n => format!(" and {n} more symptoms"),
    };
    let causes =
        if members.len() == 1 { "1 more root cause".to_owned() } else { format!("{} more root causes", members.len()) };
    format!("{causes} over the limit of incidents: {}{others}", shown.join(", "))
}

/// The number of root causes with the kind of their nodes, such as `300 processes`.
fn count_nodes(scored: &ScoredGraph, members: &[&RootCauseCandidate]) -> String {
    let kinds = || members.iter().map(|member| &scored.graph.nodes()[member.root].kind);
    let kind = kinds().next().filter(|first| kinds().all(|kind| kind == *first));
    match (members.len(), kind.map(|kind| kind.as_str())) {
        (1, Some(kind)) => format!("1 {kind}"),
        (n, Some("process")) => format!("{n} processes"),
        (n, Some(kind)) => format!("{n} {kind}s"),
        (n, None) => format!("{n} nodes"),
    }
}

/// What a symptom is called in a reason.
fn label(symptom: &str) -> &str {
    match symptom {
        HOLDS_LOCK => "holds a lock that others wait for",
        DOES_NOT_READ => "does not read its input",
        symptom => Signal::from_name(symptom).map_or(symptom, |signal| signal.definition().label),
    }
}

/// The name of the innermost control group that all nodes are in; `None` if that is the root group
/// or there is none.
fn shared_group<'a>(scored: &'a ScoredGraph, members: &[&RootCauseCandidate]) -> Option<&'a str> {
    let group_of: HashMap<usize, usize> = member_of(scored).collect();
    let groups = |node: usize| {
        let groups = std::iter::successors(group_of.get(&node).copied(), |group| group_of.get(group).copied());
        groups.take(MAX_GROUP_DEPTH)
    };
    let mut n_members = HashMap::new();
    for group in members.iter().flat_map(|member| groups(member.root)) {
        *n_members.entry(group).or_insert(0) += 1;
    }
    let shared = groups(members.first()?.root).find(|group| n_members.get(group) == Some(&members.len()))?;
    let name = scored.graph.nodes()[shared].name.as_str();
    (name != "/").then_some(name)
}

fn member_of(scored: &ScoredGraph) -> impl Iterator<Item = (usize, usize)> {
    // Files are members of their filesystem.
    let is_group = |node: usize| scored.graph.nodes()[node].kind == NodeKind::Cgroup;
    let edges =
        scored.graph.edges().filter(move |(edge, _, group)| edge.kind == EdgeKind::MemberOf && is_group(*group));
    edges.map(|(_, member, group)| (member, group))
}
