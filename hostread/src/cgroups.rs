//! Control groups of both versions: where they are mounted, which of them a process is in, and what their files say.

mod membership;
mod mounted;
mod reading;

pub use membership::{Hierarchies, Hierarchy, ProcessCgroup, ProcessCgroups, around, parent};
pub use mounted::CgroupMounts;
pub use reading::{CgroupLimits, CgroupReading, OpenCgroup};
