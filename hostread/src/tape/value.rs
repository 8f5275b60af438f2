//! Values in the form in which they are recorded.

use std::time::Duration;

use schemas::Timestamp;

/// A value that is recorded as whole numbers.
pub trait TapeValue: Sized {
    /// The numbers to record.
    fn to_numbers(&self) -> Vec<i64>;
    /// The value of recorded numbers. `None` if they are not those of such a value.
    fn from_numbers(numbers: &[i64]) -> Option<Self>;
}

impl TapeValue for () {
    fn to_numbers(&self) -> Vec<i64> {
        Vec::new()
    }

    fn from_numbers(_: &[i64]) -> Option<()> {
        Some(())
    }
}

impl TapeValue for u64 {
    fn to_numbers(&self) -> Vec<i64> {
        vec![self.cast_signed()]
    }

    fn from_numbers(numbers: &[i64]) -> Option<u64> {
        numbers.first().map(|number| number.cast_unsigned())
    }
}

impl TapeValue for Vec<u32> {
    fn to_numbers(&self) -> Vec<i64> {
        self.iter().copied().map(i64::from).collect()
    }

    fn from_numbers(numbers: &[i64]) -> Option<Vec<u32>> {
        numbers.iter().map(|number| u32::try_from(*number).ok()).collect()
    }
}

impl TapeValue for Timestamp {
    fn to_numbers(&self) -> Vec<i64> {
        vec![self.0]
    }

    fn from_numbers(numbers: &[i64]) -> Option<Timestamp> {
        numbers.first().copied().map(Timestamp)
    }
}

impl TapeValue for Duration {
    fn to_numbers(&self) -> Vec<i64> {
        vec![i64::try_from(self.as_nanos()).unwrap_or(i64::MAX)]
    }

    fn from_numbers(numbers: &[i64]) -> Option<Duration> {
        u64::try_from(*numbers.first()?).ok().map(Duration::from_nanos)
    }
}
