//! What waits to be delivered: a bus that is slow or away delays no sweep.
//!
//! A snapshot that is dropped is told of by the next one that is swept. If that one is dropped too, whatever it would
//! have told is told by a later one, so that no drop goes unsaid as long as the producer runs.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bus::Record;
use tokio::sync::Notify;

/// A queue between the one who sweeps and the one who delivers.
pub struct Outbox {
    /// The most bytes that wait, but for the newest snapshot, which always does.
    limit: u64,
    queue: Mutex<Queue>,
    changed: Notify,
}

/// A snapshot as a record.
pub struct Parcel {
    /// As it travels.
    pub record: Record,
    /// How many dropped snapshots its coverage tells of.
    reported_drops: i64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Parcel>,
    is_one_on_its_way: bool,
    /// Of what waits and of what is on its way.
    bytes: u64,
    /// Dropped, and not told of by any that waits or is on its way.
    unreported: i64,
    dropped: u64,
    is_overflowing: bool,
    is_opaque: bool,
}

impl Outbox {
    /// An empty one.
    pub fn new(limit: u64) -> Outbox {
        Outbox { limit, queue: Mutex::default(), changed: Notify::new() }
    }

    /// How many were dropped that none tells of: for the next snapshot to [tell](crate::emit::record::telling).
    pub fn take_unreported(&self) -> i64 {
        std::mem::take(&mut self.queue().unreported)
    }

    /// Adds a snapshot that tells of so many dropped ones; drops the oldest that wait if there are too many bytes.
    pub fn push(&self, mut record: Record, reported_drops: i64) {
        record.value.shrink_to_fit();
        let mut queue = self.queue();
        queue.bytes += bytes(&record);
        queue.waiting.push_back(Parcel { record, reported_drops });
        self.make_room(&mut queue);
        self.changed.notify_one();
    }

    /// Notes that there will be no snapshot where one was expected, which would have told of so many dropped ones.
    pub fn record_missed(&self, told: i64) {
        self.queue().note_drop(told);
    }

    /// Waits for the oldest and takes it; none once the outbox is closed and empty. Whoever takes one says what became
    /// of it: [`delivered`](Self::delivered), [`put_back`](Self::put_back) or [`give_up`](Self::give_up).
    pub async fn take(&self) -> Option<Parcel> {
        loop {
            let changed = self.changed.notified();
            {
                let mut queue = self.queue();
                if let Some(parcel) = queue.waiting.pop_front() {
                    queue.is_one_on_its_way = true;
                    return Some(parcel);
                }
                if queue.is_opaque {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// It has arrived.
    pub fn delivered(&self, parcel: &Parcel) {
        let mut queue = self.queue();
        queue.take_off(parcel);
        queue.is_overflowing &= !queue.waiting.is_empty();
    }

    /// It is to be tried again, before all others.
    pub fn put_back(&self, parcel: Parcel) {
        let mut queue = self.queue();
        queue.is_one_on_its_way = false;
        queue.waiting.push_front(parcel);
        self.make_room(&mut queue);
    }

    /// It will never be taken.
    pub fn give_up(&self, parcel: &Parcel) {
        let mut queue = self.queue();
        queue.take_off(parcel);
        queue.note_drop(parcel.reported_drops);
    }

    /// Nothing more comes.
    pub fn close(&self) {
        self.queue().is_opaque = true;
        self.changed.notify_one();
    }

    /// How many wait.
    pub fn n_waiting(&self) -> usize {
        self.queue().waiting.len()
    }

    /// How many neither arrived nor are told of by any that did.
    pub fn n_undelivered(&self) -> i64 {
        let queue = self.queue();
        let waiting = queue.waiting.iter().map(|parcel| 1 + parcel.reported_drops).sum::<i64>();
        waiting + queue.unreported + i64::from(queue.is_one_on_its_way)
    }

    /// How many were dropped ever.
    pub fn n_dropped(&self) -> u64 {
        self.queue().dropped
    }

    fn make_room(&self, queue: &mut Queue) {
        while queue.bytes > self.limit
            && queue.waiting.len() > 1
            && let Some(oldest) = queue.waiting.pop_front()
        {
            queue.bytes -= bytes(&oldest.record);
            queue.note_drop(oldest.reported_drops);
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
    fn take_off(&mut self, parcel: &Parcel) {
        self.bytes -= bytes(&parcel.record);
        self.is_one_on_its_way = false;
    }

    fn note_drop(&mut self, told: i64) {
        self.unreported += 1 + told;
        self.dropped += 1;
    }
}

fn bytes(record: &Record) -> u64 {
    record.size() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use schemas::GraphSnapshot;

    use super::*;
    use crate::emit::record;

    fn snapshot(sequence: i64) -> GraphSnapshot {
        GraphSnapshot { host: "h".into(), run: "r".into(), sequence, ..GraphSnapshot::default() }
    }

    fn push(outbox: &Outbox, sequence: i64) {
        let reported_drops = outbox.take_unreported();
        outbox.push(record::with_drop_count(snapshot(sequence), reported_drops).unwrap(), reported_drops);
    }

    /// An outbox with room for so many snapshots.
    fn outbox(room: u64) -> Outbox {
        let bytes = bytes(&record::with_drop_count(snapshot(0), 0).unwrap());
        // Half a snapshot for what some tell of drops.
        Outbox::new(room * bytes + bytes / 2)
    }

    /// A parcel's sequence number, and how many its snapshot says were dropped.
    fn content(parcel: &Parcel) -> (i64, i64) {
        let snapshot: GraphSnapshot = schemas::decode(&parcel.record.value).unwrap();
        (snapshot.sequence, snapshot.coverage.iter().map(|coverage| coverage.count).sum())
    }

    async fn empty(outbox: &Outbox) -> Vec<(i64, i64)> {
        outbox.close();
        let mut contents = Vec::new();
        while let Some(parcel) = outbox.take().await {
            contents.push(content(&parcel));
            outbox.delivered(&parcel);
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
    async fn the_oldest_makes_room_and_the_next_tells_of_it() {
        let outbox = outbox(2);
        (0..4).for_each(|sequence| push(&outbox, sequence));
        // The third replaced the first, and the fourth tells so; it replaced the second, which the fifth will tell.
        assert_eq!((outbox.n_dropped(), outbox.n_waiting()), (2, 2));
        let parcel = outbox.take().await.unwrap();
        assert_eq!(content(&parcel), (2, 0));
        outbox.delivered(&parcel);
        push(&outbox, 4);
        assert_eq!(empty(&outbox).await, [(3, 1), (4, 1)]);
    }

    #[tokio::test]
    async fn what_a_dropped_one_would_have_told_a_later_one_tells() {
        let outbox = outbox(1);
        (0..4).for_each(|sequence| push(&outbox, sequence));
        let told: i64 = empty(&outbox).await.into_iter().map(|(_, told)| told).sum();
        assert_eq!(told + outbox.queue().unreported, 3);
    }

    #[tokio::test]
    async fn one_that_was_put_back_is_still_the_oldest() {
        let outbox = outbox(2);
        push(&outbox, 0);
        push(&outbox, 1);
        let parcel = outbox.take().await.unwrap();
        outbox.put_back(parcel);
        assert_eq!(empty(&outbox).await, [(0, 0), (1, 0)]);
    }

    #[tokio::test]
    async fn one_on_its_way_is_not_dropped_and_counts_as_waiting() {
        let outbox = outbox(2);
        push(&outbox, 0);
        let parcel = outbox.take().await.unwrap();
        push(&outbox, 1);
        push(&outbox, 2);
        assert_eq!(outbox.n_dropped(), 1);
        outbox.delivered(&parcel);
        assert_eq!(empty(&outbox).await, [(2, 0)]);
    }

    #[tokio::test]
    async fn the_newest_waits_whatever_its_size() {
        let outbox = Outbox::new(0);
        push(&outbox, 0);
        push(&outbox, 1);
        assert_eq!(empty(&outbox).await, [(1, 0)]);
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_told_of() {
        let outbox = outbox(2);
        push(&outbox, 0);
        let parcel = outbox.take().await.unwrap();
        outbox.give_up(&parcel);
        push(&outbox, 1);
        assert_eq!(empty(&outbox).await, [(1, 1)]);
    }

    #[tokio::test]
    async fn one_that_never_came_to_be_is_told_of() {
        let outbox = outbox(2);
        outbox.record_missed(outbox.take_unreported());
        outbox.record_missed(outbox.take_unreported());
        push(&outbox, 2);
        assert_eq!(empty(&outbox).await, [(2, 2)]);
    }
}
