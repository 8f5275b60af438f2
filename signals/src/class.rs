//! What a signal means to blame.

/// What an abnormal value of a signal says about its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The node uses much of these resources, which others may lack because of it.
    Use(&'static [Resource]),
    /// The node has added to what fills a shared resource. It is no failure by itself: it names a
    /// root cause only where something else lacks that resource.
    Contribution(Resource),
    /// The node waits for a resource that others use. It names no root cause by itself.
    Lack(Resource),
    /// The node waits.
    Wait(WaitFor),
    /// Other nodes wait for this one.
    BlocksOthers,
    /// The node is late with work that others wait for.
    Pending,
    /// The node has reached, or almost reached, its limit of a resource.
    Limit(Resource),
    /// The node is kept from running or from writing until it is released.
    Suspended,
    /// Something fails, for lack of a resource where one is named.
    Failure(Option<Resource>),
    /// How long tasks of the host wait for a resource (pressure stall information).
    Pressure(Resource),
    /// How much the node does. It says nothing about other nodes.
    Load,
    /// Context for the model.
    Context,
}

/// What nodes compete for or run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// CPU time.
    Cpu,
    /// Memory.
    Memory,
    /// Throughput of storage.
    StorageIo,
    /// Room on a filesystem.
    StorageSpace,
    /// File descriptors.
    Descriptors,
    /// Processes and threads.
    Tasks,
    /// Entries of a queue or table of connections.
    Connections,
}

/// What a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// A lock.
    Lock,
    /// A peer to read what the node writes. It names no root cause by itself.
    Reader,
    /// A peer to send something. It names no root cause by itself.
    Response,
    /// The kernel, in uninterruptible sleep: mostly for storage. Unlike [`Class::Lack`] it can be a
    /// failure of the node itself.
    Kernel,
}

impl Class {
    /// The resources that the node uses or has contributed to filling.
    pub fn consumed_resources(&self) -> &[Resource] {
        match self {
            Class::Use(used) => used,
            Class::Contribution(filled) => std::slice::from_ref(filled),
            _ => &[],
        }
    }

    /// Whether the node uses this resource or has contributed to filling it.
    pub fn consumes(self, resource: Resource) -> bool {
        self.consumed_resources().contains(&resource)
    }

    /// The resource that the node waits for because others use it.
    pub fn lacked_resource(self) -> Option<Resource> {
        match self {
            Class::Lack(resource) => Some(resource),
            Class::Wait(WaitFor::Kernel) => Some(Resource::StorageIo),
            _ => None,
        }
    }

    /// Whether the signal shows an effect only: without a node that causes it there is no root
    /// cause.
    pub fn is_effect_only(self) -> bool {
        matches!(self, Class::Lack(_) | Class::Contribution(_) | Class::Wait(WaitFor::Reader | WaitFor::Response))
    }

    /// Whether the node waits for a lock or a reader, or is the one that is waited for.
    pub fn is_blocking(self) -> bool {
        matches!(self, Class::Wait(WaitFor::Lock | WaitFor::Reader) | Class::BlocksOthers)
    }

    /// Whether the node is late, perhaps because it waits itself.
    pub fn is_late(self) -> bool {
        matches!(self, Class::Pending | Class::Wait(WaitFor::Response | WaitFor::Kernel))
    }

    /// The class in words.
    pub fn describe(self) -> String {
        match self {
            Class::Use(used) => {
                let names: Vec<&str> = used.iter().map(|resource| resource.as_str()).collect();
                format!("use of {}", names.join(" and "))
            }
            Class::Contribution(resource) => format!("contribution to full {}", resource.as_str()),
            Class::Lack(resource) => format!("lack of {}", resource.as_str()),
            Class::Wait(WaitFor::Lock) => "wait for a lock".to_owned(),
            Class::Wait(WaitFor::Reader) => "wait for a reader".to_owned(),
            Class::Wait(WaitFor::Response) => "wait for a response".to_owned(),
            Class::Wait(WaitFor::Kernel) => "wait in the kernel".to_owned(),
            Class::BlocksOthers => "blocks others".to_owned(),
            Class::Pending => "pending work".to_owned(),
            Class::Limit(resource) => format!("limit of {}", resource.as_str()),
            Class::Suspended => "suspended".to_owned(),
            Class::Failure(None) => "failure".to_owned(),
            Class::Failure(Some(resource)) => format!("failure for lack of {}", resource.as_str()),
            Class::Pressure(resource) => format!("pressure on {}", resource.as_str()),
            Class::Load => "load".to_owned(),
            Class::Context => "context".to_owned(),
        }
    }
}

impl Resource {
    /// The resource in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Resource::Cpu => "CPU",
            Resource::Memory => "memory",
            Resource::StorageIo => "storage I/O",
            Resource::StorageSpace => "storage space",
            Resource::Descriptors => "file descriptors",
            Resource::Tasks => "processes and threads",
            Resource::Connections => "connections",
        }
    }
}
