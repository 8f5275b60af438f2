//! How much of its host a snapshot covers, compared with the snapshots before.

use schemas::{GraphSnapshot, MissingReason};
use signals::CoverageItem;

/// Items of coverage without which processes or their values are missing.
const ITEMS: [&str; 8] = ["process-hidden", "process", "fd", "fd-link", "syscall", "io", "run-delay", "memory"];

/// A snapshot is blind if its unreadable share exceeds the usual share by more than this.
const MAX_EXCESS: f64 = 0.2;

/// Weights with which a larger and a smaller unreadable share change the usual share. A lasting
/// collapse becomes usual after some minutes, because the host may have changed for good. A
/// recovery counts at once.
const WEIGHT_OF_LARGER: f64 = 1.0 / 300.0;
const WEIGHT_OF_SMALLER: f64 = 1.0 / 10.0;

/// Finds blind snapshots of a host: those whose coverage has collapsed. A node that such a snapshot
/// lacks has not recovered, and a value that it lacks is not healthy. The first snapshot is never
/// blind: what is usual is not known then.
#[derive(Debug, Default)]
pub struct CoverageWatch {
    usual: Option<f64>,
    was_blind: bool,
}

impl CoverageWatch {
    /// Returns whether the next snapshot of the host is blind. Logs when that begins and ends.
    pub fn is_blind(&mut self, snapshot: &GraphSnapshot) -> bool {
        let share = unreadable_share(snapshot);
        let usual = self.usual.unwrap_or(share);
        let weight = if share > usual { WEIGHT_OF_LARGER } else { WEIGHT_OF_SMALLER };
        self.usual = Some(usual + (share - usual) * weight);
        let is_blind = share > usual + MAX_EXCESS;
        let host = &snapshot.host;
        match (self.was_blind, is_blind) {
            (false, true) => {
                let usual_pct = (usual * 100.0).round();
                let unreadable_pct = (share * 100.0).round();
                let hint = "`detective doctor` on that host says what is missing and why";
                tracing::warn!(host, usual_pct, unreadable_pct, hint, "coverage collapsed; snapshots are not judged");
            }
            (true, false) => tracing::info!(host, "coverage recovered"),
            _ => {}
        }
        self.was_blind = is_blind;
        is_blind
    }
}

/// The largest share, 0 to 1, of processes for which one item is missing. Processes that exited
/// while they were read do not count.
fn unreadable_share(snapshot: &GraphSnapshot) -> f64 {
    let shares = ITEMS.iter().filter_map(|name| CoverageItem::from_name(name)).map(|item| {
        let gaps = snapshot.coverage.iter().filter(|gap| {
            gap.signal == item.name && !matches!(gap.reason, MissingReason::Gone | MissingReason::FirstSweep)
        });
        let missing = gaps.fold(0, |sum: i64, gap| sum.saturating_add(gap.count)).max(0);
        if missing == 0 { 0.0 } else { missing as f64 / item.total(snapshot, missing) as f64 }
    });
    shares.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use schemas::{Coverage, Node};

    use super::*;

    /// A snapshot of ten processes, with that many missing values of one item.
    fn snapshot(item: &str, reason: &str, count: i64) -> GraphSnapshot {
        let nodes = vec![Node { kind: "process".into(), ..Node::default() }; 10];
        let coverage = vec![Coverage { signal: item.into(), reason: reason.into(), count }];
        GraphSnapshot { host: "h".into(), nodes, coverage, ..GraphSnapshot::default() }
    }

    #[test]
    fn a_snapshot_that_suddenly_lacks_much_is_blind() {
        for (item, reason, count, is_blind) in [
            ("fd", "denied", 2, false),
            ("fd", "denied", 3, true),
            ("process", "exhausted", 10, true),
            ("process", "gone", 10, false),
            ("threads", "off", 10, false),
            ("fd", "denied", i64::MAX, true),
            ("fd", "denied", -1, false),
        ] {
            let mut watch = CoverageWatch::default();
            assert!(!watch.is_blind(&snapshot("fd", "denied", 0)));
            assert_eq!(watch.is_blind(&snapshot(item, reason, count)), is_blind, "{item} {reason} {count}");
        }
    }

    #[test]
    fn what_always_lacks_much_is_not_blind_and_a_lasting_collapse_becomes_usual() {
        let mut watch = CoverageWatch::default();
        assert!(!watch.is_blind(&snapshot("fd", "denied", 8)));
        let mut watch = CoverageWatch::default();
        assert!(!watch.is_blind(&snapshot("fd", "denied", 0)));
        let blind = (0..1000).filter(|_| watch.is_blind(&snapshot("fd", "denied", 5))).count();
        assert_eq!(blind, 275);
    }

    #[test]
    fn all_items_are_in_the_catalogue() {
        for name in ITEMS {
            assert!(CoverageItem::from_name(name).is_some(), "{name}");
        }
    }
}
