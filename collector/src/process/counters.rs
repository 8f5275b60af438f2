//! Counters of a process.

use std::time::Instant;

use hostread::{
    Seen,
    parse::process::{IoCounters, Schedstat},
    process::StatCounters,
};

/// Counters of a process, as read. They only increase.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Time at which `stat` was read.
    pub at: Instant,
    /// Counters of `stat`.
    pub stat: StatCounters,
    /// Scheduling of the main thread.
    pub schedule: Seen<Schedstat>,
    /// Bytes and calls of reads and writes.
    pub io: Seen<IoCounters>,
}
