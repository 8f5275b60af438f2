//! Control groups, version 1 and 2: their paths, where they are mounted, and what their files say.

mod hierarchy;
mod mounts;
mod path;
mod process_cgroups;
mod usage;

pub use hierarchy::{Hierarchies, Hierarchy};
pub use mounts::CgroupMounts;
pub use path::{ancestors, parent};
pub use process_cgroups::{ProcessCgroup, ProcessCgroups};
pub use usage::{CgroupLimits, CgroupUsage, OpenCgroup};
