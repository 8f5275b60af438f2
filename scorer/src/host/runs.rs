//! Which run of a producer the snapshots of a host are from.

use schemas::GraphSnapshot;

/// Another run takes over after it has sent snapshots for this many intervals without any of the
/// current run.
const TAKEOVER_INTERVALS: i64 = 3;
/// Longest interval between sweeps that a takeover waits for, in milliseconds.
const MAX_INTERVAL_MS: i64 = 60_000;
/// A conflict is over after the current run has sent snapshots for this long alone, in
/// milliseconds.
const CONFLICT_END_MS: i64 = 60_000;

/// How a snapshot relates to the earlier ones of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotPosition {
    /// The next snapshot of the host's run.
    New,
    /// Not later than the last snapshot of its run.
    Duplicate,
    /// Of another run than the host's. It must not change the host's state.
    OtherRun,
}

/// The run that the state of a host belongs to, and another that sends under the same name.
///
/// A restarted producer begins a new run, and the former one ends. Two runs that send in turn are
/// two producers with one host id: two machines with a cloned name, or two producers on one
/// machine. Times are compared by counting intervals, because the clocks of two machines differ.
#[derive(Debug, Default)]
pub struct Runs {
    current: Option<Run>,
    other: Option<Run>,
    /// Time that snapshots of other runs cover since the last one of the current run.
    other_ms: i64,
    /// Time that the current run has sent alone since the last conflict; `None`: no conflict.
    alone_ms: Option<i64>,
}

#[derive(Debug)]
struct Run {
    id: String,
    boot_id: String,
    sequence: i64,
    interval_ms: i64,
}

const HINT: &str = "set a different `host` for each producer";

impl Runs {
    /// Advances to a snapshot.
    pub fn advance(&mut self, snapshot: &GraphSnapshot) -> SnapshotPosition {
        match &mut self.current {
            Some(current) if current.id == snapshot.run => {
                if !current.advance(snapshot) {
                    return SnapshotPosition::Duplicate;
                }
                self.check_conflict(&snapshot.host);
                SnapshotPosition::New
            }
            Some(_) => self.advance_other(snapshot),
            None => {
                self.current = Some(Run::new(snapshot));
                SnapshotPosition::New
            }
        }
    }

    /// Whether two runs send snapshots of this host.
    pub fn is_conflicting(&self) -> bool {
        self.alone_ms.is_some()
    }

    /// Advances another run, which becomes the current one if that has ended.
    fn advance_other(&mut self, snapshot: &GraphSnapshot) -> SnapshotPosition {
        match &mut self.other {
            Some(other) if other.id == snapshot.run => {
                if !other.advance(snapshot) {
                    return SnapshotPosition::Duplicate;
                }
            }
            other => *other = Some(Run::new(snapshot)),
        }
        let interval_ms = interval_ms(snapshot);
        self.other_ms = self.other_ms.saturating_add(interval_ms);
        let current_interval_ms = self.current.as_ref().map_or(0, |current| current.interval_ms);
        if self.other_ms < TAKEOVER_INTERVALS * current_interval_ms.max(interval_ms) {
            return SnapshotPosition::OtherRun;
        }
        self.current = self.other.take();
        self.other_ms = 0;
        SnapshotPosition::New
    }

    /// Called for each snapshot of the current run: another run that has sent since the last one is
    /// a conflict.
    fn check_conflict(&mut self, host: &str) {
        let Some(current) = &self.current else { return };
        self.other_ms = 0;
        if let Some(other) = self.other.take() {
            if self.alone_ms.is_none() {
                let Run { id: run, boot_id, .. } = current;
                let Run { id: other_run, boot_id: other_boot_id, .. } = other;
                let hint = HINT;
                tracing::warn!(
                    host,
                    run,
                    boot_id,
                    other_run,
                    other_boot_id,
                    hint,
                    "two producers send under one host id; the first is used"
                );
            }
            self.alone_ms = Some(0);
        } else if let Some(alone_ms) = &mut self.alone_ms {
            *alone_ms += current.interval_ms;
            if *alone_ms >= CONFLICT_END_MS {
                self.alone_ms = None;
                tracing::info!(host, "one producer sends under the host id again");
            }
        }
    }
}

impl Run {
    fn new(snapshot: &GraphSnapshot) -> Run {
        Run {
            id: snapshot.run.clone(),
            boot_id: snapshot.boot_id.clone(),
            sequence: snapshot.sequence,
            interval_ms: interval_ms(snapshot),
        }
    }

    /// Advances to a snapshot of this run; false if it is not later than the last one.
    fn advance(&mut self, snapshot: &GraphSnapshot) -> bool {
        if snapshot.sequence <= self.sequence {
            return false;
        }
        self.sequence = snapshot.sequence;
        self.interval_ms = interval_ms(snapshot);
        true
    }
}

fn interval_ms(snapshot: &GraphSnapshot) -> i64 {
    snapshot.interval_ms.clamp(1, MAX_INTERVAL_MS)
}
