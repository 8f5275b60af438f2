//! Facts about the host: processes, files, control groups, filesystems, and the host's own
//! resources.

pub mod cgroups;
pub mod container;
pub mod coverage;
pub mod descriptor_budget;
pub mod files;
pub mod filesystems;
pub mod measure;
pub mod new_processes;
pub mod own_programs;
pub mod process;
pub mod process_arguments;
pub mod process_cache;
pub mod processes;
pub mod rates;
pub mod role;
pub mod system;
pub mod tasks;
