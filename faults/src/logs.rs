//! Who writes too much.

use super::{
    fault::{Family, Fault},
    need::Need,
    safety::Takes,
};

/// The faults of this family.
pub const FAULTS: [Fault; 1] = [Fault {
    name: "log-flood",
    family: Family::Logs,
    does: "a web worker writes debug lines by the megabyte, under the lock that each request needs",
    blame: "the web worker, or its endpoint",
    suffers: "the front, whose requests it answers late",
    bounds: "256 MB",
    undone: "the worker sees that nobody orders it any more, and truncates its log",
    needs: &[Need::Shop],
    takes: Takes { memory: 0, disk: 300 },
    takes_path: false,
    play: |stage| stage.bug_of_web("flood 8"),
}];
