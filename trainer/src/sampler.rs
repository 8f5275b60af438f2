//! Even sampling from a stream of unknown length.

/// Keeps at most a fixed number of items of a stream, evenly spread, and always the last one.
///
/// It keeps every n-th item, and doubles n whenever the sample is full.
#[derive(Clone, Debug)]
pub struct Sampler<T> {
    max_items: usize,
    stride: usize,
    n_pushed: usize,
    sample: Vec<T>,
    last: Option<T>,
}

impl<T> Sampler<T> {
    /// Creates a sampler of at most `max_items` items, at least 2.
    pub fn new(max_items: usize) -> Self {
        Sampler { max_items: max_items.max(2), stride: 1, n_pushed: 0, sample: Vec::new(), last: None }
    }

    /// Adds the next item of the stream.
    pub fn push(&mut self, item: T) {
        if let Some(previous) = self.last.replace(item) {
            if self.n_pushed.is_multiple_of(self.stride) {
                self.sample.push(previous);
            }
            self.n_pushed += 1;
        }
        // Room is left for the last item.
        if self.sample.len() >= self.max_items {
            let mut index = 0;
            self.sample.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
    }

    /// Keeps only the items that `is_kept` selects. If few remain, further items are kept more
    /// densely.
    pub fn retain(&mut self, is_kept: impl Fn(&T) -> bool) {
        let n_before = self.sample.len();
        self.sample.retain(&is_kept);
        self.last = self.last.take().filter(is_kept);
        let has_removed = self.sample.len() < n_before;
        if has_removed && self.sample.len() < self.max_items / 4 {
            self.stride = (self.stride / 2).max(1);
        }
    }

    /// Returns the sample, in the order of the stream.
    pub fn finish(mut self) -> Vec<T> {
        self.sample.extend(self.last);
        self.sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_evenly_spread_and_contains_the_last_item() {
        for (max_items, length) in [(360, 60), (10, 10), (10, 11), (10, 1000), (10, 1023), (2, 7), (0, 3)] {
            let mut sampler = Sampler::new(max_items);
            (0..length).for_each(|item| sampler.push(item));
            let sample = sampler.finish();
            assert!(sample.len() <= max_items.max(2), "{max_items} of {length}: {sample:?}");
            assert!(sample.len() >= max_items.min(length) / 2, "{max_items} of {length}: {sample:?}");
            assert_eq!(sample.last(), Some(&(length - 1)));
            let gaps: Vec<_> = sample.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let widest = gaps.iter().max().copied().unwrap_or(0);
            assert!(gaps.iter().rev().skip(1).all(|gap| *gap == widest), "{max_items} of {length}: {sample:?}");
        }
        assert!(Sampler::<u8>::new(5).finish().is_empty());
    }

    #[test]
    fn a_sample_without_its_old_items_becomes_dense_again() {
        let mut sampler = Sampler::new(64);
        (0..100_000).for_each(|item| sampler.push(item));
        for item in 100_000..200_000 {
            sampler.push(item);
            sampler.retain(|kept| *kept > item - 1000);
        }
        let sample = sampler.finish();
        assert!(sample.len() >= 16 && sample.len() <= 64, "{sample:?}");
        assert!(sample[0] > 198_998 && sample.last() == Some(&199_999), "{sample:?}");
    }

    #[test]
    fn a_short_stream_is_kept_completely() {
        let mut sampler = Sampler::new(360);
        (0..360).for_each(|item| sampler.push(item));
        assert_eq!(sampler.finish(), (0..360).collect::<Vec<_>>());
    }
}
