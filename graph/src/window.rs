//! Items of the last seconds or minutes.

use std::collections::VecDeque;

use schemas::Timestamp;

/// Largest number of items. At the default interval of a second it is never reached.
const MAX_ITEMS: usize = 2400;

/// Items with the times of their snapshots, no older than a span before the newest.
#[derive(Clone, Debug)]
pub struct Window<T> {
    span_ms: i64,
    items: VecDeque<(Timestamp, T)>,
}

impl<T> Window<T> {
    /// An empty window. It drops items that are more than `span_ms` older than the newest, and the
    /// oldest beyond a fixed number.
    pub fn new(span_ms: i64) -> Self {
        Window { span_ms, items: VecDeque::new() }
    }

    /// Adds an item and drops those that are too old. Items from the future are dropped too: the
    /// clock of the host was set back after them.
    pub fn push(&mut self, time: Timestamp, item: T) {
        let span_ms = self.span_ms;
        self.items.retain(|(earlier, _)| (0..=span_ms).contains(&time.millis_since(*earlier)));
        if self.items.len() >= MAX_ITEMS {
            self.items.pop_front();
        }
        self.items.push_back((time, item));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_leaves_no_item_behind() {
        let mut window = Window::new(120_000);
        let day = 86_400_000;
        for second in 0..1000 {
            window.push(Timestamp(day + second * 1000), second);
        }
        assert_eq!(window.items.len(), 121);
        for second in 0..1000 {
            window.push(Timestamp(second * 1000), second);
        }
        assert_eq!(window.items.len(), 121);
        assert!(window.since(Timestamp(999_000), 120_000).copied().eq(879..1000));
    }

    #[test]
    fn the_number_of_items_is_limited() {
        let mut window = Window::new(120_000);
        (0..10_000).for_each(|item| window.push(Timestamp(0), item));
        assert_eq!(window.items.len(), MAX_ITEMS);
        assert_eq!(window.newest(), Some(&9999));
    }
}
