//! Faults of excessive logging.

use super::{
    fault::{Family, Fault},
    requirement::Requirement,
    safety::ResourceUse,
};

/// The faults of this family.
pub const FAULTS: [Fault; 1] = [Fault {
    name: "log-flood",
    family: Family::Logs,
    description: "a web worker writes megabytes of debug lines, under the lock that each request needs",
    root_cause: "the web worker, or its endpoint",
    affected: "the front, which gets late responses",
    limits: "256 MB",
    undo: "the worker ends the bug when the control connection closes, and truncates its log",
    requirements: &[Requirement::Bug("flood")],
    uses: ResourceUse { memory_mb: 0, disk_mb: 300 },
    accepts_path: false,
    inject: |injector| injector.inject_bug("flood 8"),
}];
