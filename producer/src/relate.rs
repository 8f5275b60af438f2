//! How they relate: who holds what, who waits for whom, and who talks to whom.

pub mod connections;
pub mod futexes;
pub mod lock_holders;
pub mod lock_waits;
pub mod pipes;
pub mod stalls;
pub mod titles;
