//! Relations between the facts of a sweep: lock holders and waiters, stalled readers and writers,
//! and connections between processes.

pub mod connections;
pub mod futexes;
pub mod lock_holders;
pub mod lock_waits;
pub mod pipes;
pub mod stalls;
pub mod titles;
