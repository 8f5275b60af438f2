//! Queue of snapshots that wait for delivery, so that a slow or unavailable bus delays no sweep.
//!
//! The coverage of the next snapshot reports a dropped snapshot. If that one is dropped too, a
//! later one reports both, so that every drop is reported as long as the producer runs.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bus::Record;
use tokio::sync::Notify;

/// Queue between the sweep loop and delivery.
pub struct Outbox {
    /// Maximum number of queued bytes. The newest snapshot is always queued.
    limit: u64,
    queue: Mutex<Queue>,
    changed: Notify,
}

/// A queued snapshot.
pub struct QueuedSnapshot {
    /// The encoded record.
    pub record: Record,
    /// Number of dropped snapshots that its coverage reports.
    reported_drops: i64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<QueuedSnapshot>,
    is_in_flight: bool,
    /// Size of queued records and the one in flight.
    bytes: u64,
    /// Dropped snapshots that no queued or in-flight snapshot reports.
    unreported_drops: i64,
    dropped: u64,
    is_overflowing: bool,
    is_closed: bool,
}

impl Outbox {
    /// Creates an empty queue.
    pub fn new(limit: u64) -> Outbox {
        Outbox { limit, queue: Mutex::default(), changed: Notify::new() }
    }

    /// Returns the number of dropped snapshots that no snapshot reports yet, and resets it. The
    /// next snapshot [reports](crate::emit::record::with_drop_count) them.
    pub fn take_unreported_drops(&self) -> i64 {
        std::mem::take(&mut self.queue().unreported_drops)
    }

    /// Queues a snapshot that reports `reported_drops` dropped ones. Drops the oldest if the queue
    /// exceeds its limit.
    pub fn push(&self, mut record: Record, reported_drops: i64) {
        record.value.shrink_to_fit();
        let mut queue = self.queue();
        queue.bytes += bytes(&record);
        queue.waiting.push_back(QueuedSnapshot { record, reported_drops });
        self.make_room(&mut queue);
        self.changed.notify_one();
    }

    /// Records that an expected snapshot, which would have reported `reported_drops` dropped ones,
    /// was never made.
    pub fn record_missed(&self, reported_drops: i64) {
        self.queue().record_drop(reported_drops);
    }

    /// Waits for the oldest snapshot; `None` once the queue is closed and empty. The caller must
    /// end each delivery with [`delivered`](Self::delivered), [`put_back`](Self::put_back) or
    /// [`give_up`](Self::give_up).
    pub async fn next(&self) -> Option<QueuedSnapshot> {
        loop {
            let changed = self.changed.notified();
            {
                let mut queue = self.queue();
                if let Some(snapshot) = queue.waiting.pop_front() {
                    queue.is_in_flight = true;
                    return Some(snapshot);
                }
                if queue.is_closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Ends a delivery that succeeded.
    pub fn delivered(&self, snapshot: &QueuedSnapshot) {
        let mut queue = self.queue();
        queue.remove_in_flight(snapshot);
        queue.is_overflowing &= !queue.waiting.is_empty();
    }

    /// Returns a snapshot to the head of the queue, to be retried.
    pub fn put_back(&self, snapshot: QueuedSnapshot) {
        let mut queue = self.queue();
        queue.is_in_flight = false;
        queue.waiting.push_front(snapshot);
        self.make_room(&mut queue);
    }

    /// Drops a snapshot that the bus will never accept.
    pub fn give_up(&self, snapshot: &QueuedSnapshot) {
        let mut queue = self.queue();
        queue.remove_in_flight(snapshot);
        queue.record_drop(snapshot.reported_drops);
    }

    /// Closes the queue: no more snapshots are pushed.
    pub fn close(&self) {
        self.queue().is_closed = true;
        self.changed.notify_one();
    }

    /// Number of queued snapshots.
    pub fn n_waiting(&self) -> usize {
        self.queue().waiting.len()
    }

    /// Number of snapshots that were neither delivered nor reported by a delivered one.
    pub fn n_undelivered(&self) -> i64 {
        let queue = self.queue();
        let waiting = queue.waiting.iter().map(|snapshot| 1 + snapshot.reported_drops).sum::<i64>();
        waiting + queue.unreported_drops + i64::from(queue.is_in_flight)
    }

    /// Number of snapshots dropped so far.
    pub fn n_dropped(&self) -> u64 {
        self.queue().dropped
    }

    fn make_room(&self, queue: &mut Queue) {
        while queue.bytes > self.limit
            && queue.waiting.len() > 1
            && let Some(oldest) = queue.waiting.pop_front()
        {
            queue.bytes -= bytes(&oldest.record);
            queue.record_drop(oldest.reported_drops);
            if !std::mem::replace(&mut queue.is_overflowing, true) {
                tracing::warn!(bytes = self.limit, "the bus does not keep up: the oldest snapshots are dropped");
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn remove_in_flight(&mut self, snapshot: &QueuedSnapshot) {
        self.bytes -= bytes(&snapshot.record);
        self.is_in_flight = false;
    }

    fn record_drop(&mut self, reported_drops: i64) {
        self.unreported_drops += 1 + reported_drops;
        self.dropped += 1;
    }
}

fn bytes(record: &Record) -> u64 {
    record.size() as u64
}

#[cfg(test)]
mod tests {
    use schemas::GraphSnapshot;

    use super::*;
    use crate::emit::record;

    fn snapshot(sequence: i64) -> GraphSnapshot {
        GraphSnapshot { host: "h".into(), run: "r".into(), sequence, ..GraphSnapshot::default() }
    }

    fn push(outbox: &Outbox, sequence: i64) {
        let reported_drops = outbox.take_unreported_drops();
        outbox.push(record::with_drop_count(snapshot(sequence), reported_drops).unwrap(), reported_drops);
    }

    /// An outbox with room for that many snapshots.
    fn outbox(room: u64) -> Outbox {
        let bytes = bytes(&record::with_drop_count(snapshot(0), 0).unwrap());
        // Half a snapshot extra, for the coverage entries that report drops.
        Outbox::new(room * bytes + bytes / 2)
    }

    /// A snapshot's sequence number, and the drops that it reports.
    fn content(snapshot: &QueuedSnapshot) -> (i64, i64) {
        let snapshot: GraphSnapshot = schemas::decode(&snapshot.record.value).unwrap();
        (snapshot.sequence, snapshot.coverage.iter().map(|coverage| coverage.count).sum())
    }

    async fn empty(outbox: &Outbox) -> Vec<(i64, i64)> {
        outbox.close();
        let mut contents = Vec::new();
        while let Some(snapshot) = outbox.next().await {
            contents.push(content(&snapshot));
            outbox.delivered(&snapshot);
        }
        assert_eq!(outbox.queue().bytes, 0);
        contents
    }

    #[tokio::test]
    async fn they_come_out_as_they_went_in() {
        let outbox = outbox(3);
        (0..3).for_each(|sequence| push(&outbox, sequence));
        assert_eq!(empty(&outbox).await, [(0, 0), (1, 0), (2, 0)]);
    }

    #[tokio::test]
    async fn the_oldest_is_dropped_and_the_next_reports_it() {
        let outbox = outbox(2);
        (0..4).for_each(|sequence| push(&outbox, sequence));
        // The third replaced the first, which the fourth reports. The fourth replaced the second,
        // which the fifth will report.
        assert_eq!((outbox.n_dropped(), outbox.n_waiting()), (2, 2));
        let snapshot = outbox.next().await.unwrap();
        assert_eq!(content(&snapshot), (2, 0));
        outbox.delivered(&snapshot);
        push(&outbox, 4);
        assert_eq!(empty(&outbox).await, [(3, 1), (4, 1)]);
    }

    #[tokio::test]
    async fn a_later_snapshot_reports_the_drops_of_a_dropped_one() {
        let outbox = outbox(1);
        (0..4).for_each(|sequence| push(&outbox, sequence));
        let reported_drops: i64 = empty(&outbox).await.into_iter().map(|(_, reported)| reported).sum();
        assert_eq!(reported_drops + outbox.queue().unreported_drops, 3);
    }

    #[tokio::test]
    async fn a_snapshot_put_back_is_still_the_oldest() {
        let outbox = outbox(2);
        push(&outbox, 0);
        push(&outbox, 1);
        let snapshot = outbox.next().await.unwrap();
        outbox.put_back(snapshot);
        assert_eq!(empty(&outbox).await, [(0, 0), (1, 0)]);
    }

    #[tokio::test]
    async fn a_snapshot_in_flight_is_not_dropped_and_counts_against_the_limit() {
        let outbox = outbox(2);
        push(&outbox, 0);
        let snapshot = outbox.next().await.unwrap();
        push(&outbox, 1);
        push(&outbox, 2);
        assert_eq!(outbox.n_dropped(), 1);
        outbox.delivered(&snapshot);
        assert_eq!(empty(&outbox).await, [(2, 0)]);
    }

    #[tokio::test]
    async fn the_newest_is_queued_whatever_its_size() {
        let outbox = Outbox::new(0);
        push(&outbox, 0);
        push(&outbox, 1);
        assert_eq!(empty(&outbox).await, [(1, 0)]);
    }

    #[tokio::test]
    async fn a_rejected_snapshot_is_reported() {
        let outbox = outbox(2);
        push(&outbox, 0);
        let snapshot = outbox.next().await.unwrap();
        outbox.give_up(&snapshot);
        push(&outbox, 1);
        assert_eq!(empty(&outbox).await, [(1, 1)]);
    }

    #[tokio::test]
    async fn a_missed_snapshot_is_reported() {
        let outbox = outbox(2);
        outbox.record_missed(outbox.take_unreported_drops());
        outbox.record_missed(outbox.take_unreported_drops());
        push(&outbox, 2);
        assert_eq!(empty(&outbox).await, [(2, 2)]);
    }
}
