//! Filesystems in a snapshot.

use std::collections::BTreeMap;

use schemas::{EdgeKind, Node, NodeKind};

use crate::{
    collect::{
        filesystems::{Filesystem, Picture},
        role,
    },
    emit::builder::{Builder, Relation},
};

/// A node for each filesystem, linked to those who write to it or wait to; returns them by device.
pub fn add(builder: &mut Builder, picture: &Picture, processes: &[i32]) -> BTreeMap<(u32, u32), i32> {
    let nodes: BTreeMap<(u32, u32), i32> =
        picture.filesystems.iter().map(|filesystem| (filesystem.device, add_one(builder, filesystem))).collect();
    for filesystem in &picture.filesystems {
        let Some(node) = nodes.get(&filesystem.device) else { continue };
        for writer in filesystem.writers.iter().filter_map(|at| processes.get(*at)) {
            builder.edge(*writer, *node, EdgeKind::Opens, Relation::OBSERVED);
        }
        // Who has filled it and has closed what it wrote is still to be found from it.
        for filler in filesystem.fillers.keys().filter_map(|at| processes.get(*at)) {
            builder.edge(*filler, *node, EdgeKind::Opens, Relation::INFERRED);
        }
        for (source, text) in &filesystem.proofs {
            builder.evidence(source, text, [*node]);
        }
    }
    for stuck in &picture.stuck {
        let (Some(waiter), Some(node)) = (processes.get(stuck.process), nodes.get(&stuck.device)) else { continue };
        let blocked_ms = Some((stuck.blocked.as_secs_f64() * 1000.0) as f32);
        builder.edge(*waiter, *node, EdgeKind::WaitsFor, Relation { blocked_ms, ..Relation::INFERRED });
        let (source, text) = &stuck.proof;
        builder.evidence(source, text, [*waiter, *node]);
    }
    nodes
}

fn add_one(builder: &mut Builder, filesystem: &Filesystem) -> i32 {
    let (major, minor) = filesystem.device;
    let node = builder.node(Node {
        id: format!("m:{major}:{minor}"),
        kind: NodeKind::File,
        // The word tells it from a directory that somebody has open.
        role: format!("filesystem {}", role::of_file(&filesystem.path)),
        name: filesystem.path.clone(),
        path: Some(filesystem.path.clone()),
        ..Node::default()
    });
    for (measure, measured) in &filesystem.figures {
        builder.put(*measure, node, *measured);
    }
    node
}
