//! Adds filesystems to a snapshot.

use std::collections::BTreeMap;

use schemas::{EdgeKind, Node, NodeKind};
use signals::entity::FILESYSTEM_ROLE;

use collector::{
    filesystems::{Filesystem, Filesystems},
    role,
};

use crate::emit::builder::{Builder, Relation};

/// Adds a node for each filesystem, linked to the processes that write to it or wait for it.
/// Returns the nodes by device.
pub fn add(builder: &mut Builder, filesystems: &Filesystems, processes: &[i32]) -> BTreeMap<(u32, u32), i32> {
    let nodes: BTreeMap<(u32, u32), i32> =
        filesystems.filesystems.iter().map(|filesystem| (filesystem.device, add_one(builder, filesystem))).collect();
    for filesystem in &filesystems.filesystems {
        let Some(node) = nodes.get(&filesystem.device) else { continue };
        for writer in filesystem.writers.iter().filter_map(|at| processes.get(*at)) {
            builder.edge(*writer, *node, EdgeKind::Opens, Relation::OBSERVED);
        }
        // A process that filled the filesystem and closed its files must stay reachable from it.
        for filler in filesystem.fillers.keys().filter_map(|at| processes.get(*at)) {
            builder.edge(*filler, *node, EdgeKind::Opens, Relation::INFERRED);
        }
        for (source, text) in &filesystem.evidence {
            builder.evidence(source, text, [*node]);
        }
    }
    for wait in &filesystems.thaw_waits {
        let (Some(waiter), Some(node)) = (processes.get(wait.process), nodes.get(&wait.device)) else { continue };
        let blocked_ms = Some((wait.blocked.as_secs_f64() * 1000.0) as f32);
        builder.edge(*waiter, *node, EdgeKind::WaitsFor, Relation { blocked_ms, ..Relation::INFERRED });
        let (source, text) = &wait.evidence;
        builder.evidence(source, text, [*waiter, *node]);
    }
    nodes
}

fn add_one(builder: &mut Builder, filesystem: &Filesystem) -> i32 {
    let (major, minor) = filesystem.device;
    let node = builder.node(Node {
        id: format!("m:{major}:{minor}"),
        kind: NodeKind::File,
        // The prefix distinguishes it from an open directory.
        role: format!("{FILESYSTEM_ROLE}{}", role::file_role(&filesystem.path)),
        name: filesystem.path.clone(),
        path: Some(filesystem.path.clone()),
        ..Node::default()
    });
    for (measure, measured) in &filesystem.figures {
        builder.put(*measure, node, *measured);
    }
    node
}
