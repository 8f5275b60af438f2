//! The sorts of nodes that have signals.

use schemas::{Node, NodeKind};

/// A sort of node: its kind, and for files and system resources which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entity {
    /// A process.
    Process,
    /// A file that is no filesystem.
    File,
    /// A mounted filesystem.
    Filesystem,
    /// A socket address.
    Endpoint,
    /// A control group.
    Cgroup,
    /// The CPUs of the host.
    Cpu,
    /// The memory of the host.
    Memory,
    /// The storage I/O of the host.
    Io,
    /// One disk.
    Disk,
    /// The network stack of the host.
    Network,
    /// The clock of the host.
    Clock,
}

/// The first word of a filesystem's role, which distinguishes it from an open directory.
pub const FILESYSTEM_ROLE: &str = "filesystem ";

impl Entity {
    /// All entities, in the order of `docs/signals.md`.
    pub const ALL: [Entity; 11] = [
        Entity::Process,
        Entity::File,
        Entity::Filesystem,
        Entity::Endpoint,
        Entity::Cgroup,
        Entity::Cpu,
        Entity::Memory,
        Entity::Io,
        Entity::Disk,
        Entity::Network,
        Entity::Clock,
    ];

    /// The entity that a node of a `/proc` snapshot is; `None` for a node of another kind.
    pub fn from_node(node: &Node) -> Option<Entity> {
        match node.kind {
            NodeKind::Process => Some(Entity::Process),
            NodeKind::File if node.role.starts_with(FILESYSTEM_ROLE) => Some(Entity::Filesystem),
            NodeKind::File => Some(Entity::File),
            NodeKind::Endpoint => Some(Entity::Endpoint),
            NodeKind::Cgroup => Some(Entity::Cgroup),
            NodeKind::System => Entity::from_resource(&node.role),
            NodeKind::Other(_) => None,
        }
    }

    fn from_resource(role: &str) -> Option<Entity> {
        match role {
            "cpu" => Some(Entity::Cpu),
            "memory" => Some(Entity::Memory),
            "io" => Some(Entity::Io),
            "disk" => Some(Entity::Disk),
            "network" => Some(Entity::Network),
            "clock" => Some(Entity::Clock),
            _ => None,
        }
    }

    /// The kind of the entity's nodes.
    pub const fn kind(self) -> NodeKind {
        match self {
            Entity::Process => NodeKind::Process,
            Entity::File | Entity::Filesystem => NodeKind::File,
            Entity::Endpoint => NodeKind::Endpoint,
            Entity::Cgroup => NodeKind::Cgroup,
            Entity::Cpu | Entity::Memory | Entity::Io | Entity::Disk | Entity::Network | Entity::Clock => {
                NodeKind::System
            }
        }
    }

    /// The entity in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Entity::Process => "process",
            Entity::File => "file",
            Entity::Filesystem => "filesystem",
            Entity::Endpoint => "endpoint",
            Entity::Cgroup => "control group",
            Entity::Cpu => "CPU",
            Entity::Memory => "memory",
            Entity::Io => "I/O",
            Entity::Disk => "disk",
            Entity::Network => "network",
            Entity::Clock => "clock",
        }
    }
}
