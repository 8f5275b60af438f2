//! Control groups of both versions: where they are mounted, which of them a process is in, and what their files say.

mod mounts;
mod process_cgroups;
mod usage;

pub use mounts::CgroupMounts;
pub use process_cgroups::{Hierarchies, Hierarchy, ProcessCgroup, ProcessCgroups, ancestors, parent};
pub use usage::{CgroupLimits, CgroupUsage, OpenCgroup};
