//! Adds a node for each control group, linked to its enclosing group.

use std::collections::BTreeMap;

use hostread::{cgroups::ancestors, parse::cgroup_path as path};
use schemas::{EdgeKind, Node, NodeKind};
use signals::Signal;

use super::cgroup_names;
use collector::cgroups::{Group, Groups};

use crate::emit::builder::{Builder, Relation};

/// Adds the groups and returns their nodes by path.
pub fn add<'p>(builder: &mut Builder, groups: &Groups<'p>) -> BTreeMap<&'p str, i32> {
    let nodes: BTreeMap<&str, i32> = groups.shown.iter().map(|group| (group.path, add_group(builder, group))).collect();
    for (path, node) in &nodes {
        if let Some(outer) = ancestors(path).find_map(|path| nodes.get(path)) {
            builder.edge(*node, *outer, EdgeKind::MemberOf, Relation::OBSERVED);
        }
    }
    nodes
}

fn add_group(builder: &mut Builder, group: &Group<'_>) -> i32 {
    let node = builder.node(Node {
        id: format!("c:{}", group.path),
        kind: NodeKind::Cgroup,
        role: cgroup_names::role(group.path, group.label),
        name: cgroup_names::name(group.path, group.label),
        container: path::find_container(group.path).map(|inside| inside.id.to_owned()),
        ..Node::default()
    });
    builder.put(Signal::Processes, node, Ok(f64::from(group.processes)));
    for (signal, measured) in &group.figures {
        builder.put(*signal, node, *measured);
    }
    for (source, text) in &group.evidence {
        builder.evidence(source, text, [node]);
    }
    node
}
