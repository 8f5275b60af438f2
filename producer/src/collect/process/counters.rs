//! Amounts of a process that only grow.

use std::time::Instant;

use hostread::{
    Seen,
    parse::process::{IoCounters, Schedstat},
    process::StatCounters,
};

/// Amounts that only grow, as read.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// When `stat` was read.
    pub at: Instant,
    /// Those of `stat`.
    pub stat: StatCounters,
    /// How the main thread was scheduled.
    pub schedule: Seen<Schedstat>,
    /// What was read and written.
    pub io: Seen<IoCounters>,
}
