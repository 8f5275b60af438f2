//! Items of the last seconds or minutes.

use std::collections::VecDeque;

use schemas::Timestamp;

/// Items with the times of their snapshots, no older than a span before the newest.
#[derive(Clone, Debug)]
pub struct Window<T> {
    span_ms: i64,
    items: VecDeque<(Timestamp, T)>,
}

impl<T> Window<T> {
    /// An empty window. It drops items that are more than `span_ms` older than the newest.
    pub fn new(span_ms: i64) -> Self {
        Window { span_ms, items: VecDeque::new() }
    }

    /// Adds an item and drops those that are too old.
    pub fn push(&mut self, time: Timestamp, item: T) {
        self.items.push_back((time, item));
        while self.items.front().is_some_and(|(oldest, _)| time.millis_since(*oldest) > self.span_ms) {
            self.items.pop_front();
        }
    }

    /// The items that are at most `within_ms` older than `now`, the oldest first.
    pub fn since(&self, now: Timestamp, within_ms: i64) -> impl Iterator<Item = &T> {
        self.items.iter().filter(move |(time, _)| now.millis_since(*time) <= within_ms).map(|(_, item)| item)
    }

    /// The newest item.
    pub fn newest(&self) -> Option<&T> {
        self.items.back().map(|(_, item)| item)
    }
}
