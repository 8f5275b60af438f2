//! How many descriptors of each process a sweep reads, so that one process with very many neither
//! slows down the sweep nor uses up the share of others.
//!
//! The share follows from the processes that the sweep is known to read. What the others use is
//! deducted too, so that all processes together stay within the budget.

use std::time::Duration;

use crate::SweepConfig;

/// Processes with at most this many descriptors are always read completely, even if the budget is
/// used up.
const MIN_SHARE: usize = 64;

/// The time is measured only for processes with more descriptors than this, because reading the
/// clock costs as much as some descriptors.
const MIN_MEASURED: usize = 256;

/// Time to read one descriptor, until it is measured.
const USUAL_COST: Duration = Duration::from_micros(4);

/// The budget of descriptors of each sweep, and its fair share for one process.
#[derive(Debug)]
pub struct DescriptorBudget {
    max_per_sweep: usize,
    max_per_process: usize,
    cpu_per_sweep: Duration,
    // Measured time to read one descriptor.
    cost: Duration,
    total: usize,
    share: usize,
    n_attempts: usize,
}

impl DescriptorBudget {
    /// Returns the budget that the settings describe.
    pub fn new(config: &SweepConfig) -> DescriptorBudget {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        DescriptorBudget {
            max_per_sweep: size(config.max_descriptors),
            max_per_process: size(config.max_process_descriptors),
            cpu_per_sweep: config.interval * config.descriptor_cpu_percent / 100,
            cost: USUAL_COST,
            total: 0,
            share: MIN_SHARE,
            n_attempts: 0,
        }
    }

    /// Begins a sweep. `counts` are the numbers of descriptors of the processes that it will read,
    /// as far as known.
    pub fn begin_sweep(&mut self, counts: impl Iterator<Item = usize>) {
        let affordable = self.cpu_per_sweep.as_nanos() / self.cost.as_nanos().max(1);
        self.total = self.max_per_sweep.min(usize::try_from(affordable).unwrap_or(usize::MAX));
        self.share = fair_share(counts.collect(), self.total).min(self.max_per_process).max(MIN_SHARE);
        self.n_attempts = 0;
    }

    /// Returns the number of descriptors that are read of the next process.
    pub fn limit(&self) -> usize {
        self.share.min(self.total.saturating_sub(self.n_attempts).max(MIN_SHARE))
    }

    /// Deducts one attempt to read a descriptor. It costs as much if there is no such descriptor.
    pub fn add_attempt(&mut self) {
        self.n_attempts += 1;
    }

    /// Returns the number of attempts in this sweep.
    pub fn n_attempts(&self) -> usize {
        self.n_attempts
    }

    /// Returns whether the time to read that many descriptors is measured.
    pub fn is_measured(&self, count: usize) -> bool {
        count > MIN_MEASURED
    }

    /// Adds a measurement: `n_attempts` to read a descriptor took `elapsed`.
    pub fn add_measurement(&mut self, n_attempts: usize, elapsed: Duration) {
        if let Some(cost) = u32::try_from(n_attempts).ok().and_then(|attempts| elapsed.checked_div(attempts)) {
            self.cost = (self.cost * 3 + cost) / 4;
        }
    }
}

/// Returns the largest share with which processes that have `counts` descriptors use at most
/// `total` together: a process that needs less leaves the rest to the others.
fn fair_share(mut counts: Vec<usize>, total: usize) -> usize {
    counts.sort_unstable();
    let mut left = total;
    let mut n_processes = counts.len();
    for count in counts {
        let even = left / n_processes.max(1);
        if count > even {
            return even;
        }
        left -= count;
        n_processes -= 1;
    }
    // All known processes are read completely. New ones get what is left.
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_process_with_many_descriptors_gets_what_the_others_leave() {
        for (counts, total, share) in [
            (vec![], 100, 100),
            (vec![10, 20], 100, 70),
            (vec![10, 20, 1000], 100, 70),
            (vec![10, 1000, 1000], 100, 45),
            (vec![1000, 1000, 1000, 1000], 100, 25),
        ] {
            assert_eq!(fair_share(counts.clone(), total), share, "{counts:?}");
        }
    }

    #[test]
    fn the_share_follows_the_measured_cost_and_never_starves_a_process() {
        let config = SweepConfig::default();
        let mut budget = DescriptorBudget::new(&config);
        budget.begin_sweep([1_000_000].into_iter());
        let before = budget.limit();
        for _ in 0..50 {
            budget.add_measurement(1000, Duration::from_millis(40));
        }
        budget.begin_sweep([1_000_000].into_iter());
        assert!(budget.limit() < before / 5, "{} and {before}", budget.limit());
        budget.begin_sweep(std::iter::repeat_n(1_000_000, 1000));
        assert_eq!(budget.limit(), MIN_SHARE);
        budget.add_measurement(0, Duration::MAX);
    }

    #[test]
    fn unexpected_processes_get_what_is_left() {
        let mut budget = DescriptorBudget::new(&SweepConfig { max_descriptors: 300, ..SweepConfig::default() });
        budget.begin_sweep([].into_iter());
        assert_eq!(budget.limit(), 300);
        (0..200).for_each(|_| budget.add_attempt());
        assert_eq!(budget.limit(), 100);
        (0..100).for_each(|_| budget.add_attempt());
        assert_eq!(budget.limit(), MIN_SHARE);
        budget.begin_sweep([1000, 1000].into_iter());
        assert_eq!(budget.limit(), 150);
    }

    proptest! {
        #[test]
        fn shares_fit_into_the_total(counts in prop::collection::vec(0_usize..10_000, 1..20), total in 0_usize..50_000) {
            let share = fair_share(counts.clone(), total);
            let used: usize = counts.iter().map(|count| (*count).min(share)).sum();
            prop_assert!(used <= total || share == 0);
        }
    }
}
