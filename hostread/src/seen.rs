//! A value that was read, or the reason why there is none.

use std::io;

use rustix::io::Errno;

/// The result of a read. Processes exit between two reads, so a missing file is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// The value.
    Here(T),
    /// It does not exist, or no longer.
    Gone,
    /// This process lacks the rights to read it.
    Denied,
    /// This kernel or filesystem does not provide it, or in an unknown form.
    Unsupported,
    /// The read did not finish in time.
    Late,
    /// This process or the host ran out of file descriptors or memory.
    Exhausted,
}

impl<T> Seen<T> {
    /// The value, if it was read.
    pub fn here(self) -> Option<T> {
        match self {
            Seen::Here(value) => Some(value),
            _ => None,
        }
    }

    /// Whether another attempt would have the same result: a value, or missing rights.
    pub fn is_settled(&self) -> bool {
        matches!(self, Seen::Here(_) | Seen::Denied)
    }

    /// Whether a later attempt is likely to have another result.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Seen::Late | Seen::Exhausted)
    }

    /// Converts the value and keeps the reason, as `Result::map`.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Seen<U> {
        self.and_then(|value| Seen::Here(convert(value)))
    }

    /// Reads something else with the value, or keeps the reason, as `Result::and_then`.
    pub fn and_then<U>(self, read: impl FnOnce(T) -> Seen<U>) -> Seen<U> {
        match self {
            Seen::Here(value) => read(value),
            Seen::Gone => Seen::Gone,
            Seen::Denied => Seen::Denied,
            Seen::Unsupported => Seen::Unsupported,
            Seen::Late => Seen::Late,
            Seen::Exhausted => Seen::Exhausted,
        }
    }

    /// Borrows the value.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Seen::Here(value) => Seen::Here(value),
            Seen::Gone => Seen::Gone,
            Seen::Denied => Seen::Denied,
            Seen::Unsupported => Seen::Unsupported,
            Seen::Late => Seen::Late,
            Seen::Exhausted => Seen::Exhausted,
        }
    }
}

impl<T> From<Option<T>> for Seen<T> {
    /// `None`, of a parser, becomes `Unsupported`: the kernel wrote an unknown form.
    fn from(parsed: Option<T>) -> Self {
        parsed.map_or(Seen::Unsupported, Seen::Here)
    }
}

impl<T> From<Result<T, Errno>> for Seen<T> {
    fn from(result: Result<T, Errno>) -> Self {
        match result {
            Ok(value) => Seen::Here(value),
            Err(Errno::NOENT | Errno::SRCH) => Seen::Gone,
            Err(Errno::ACCESS | Errno::PERM) => Seen::Denied,
            Err(Errno::TIMEDOUT) => Seen::Late,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Seen::Exhausted,
            Err(_) => Seen::Unsupported,
        }
    }
}

impl<T> From<io::Result<T>> for Seen<T> {
    fn from(result: io::Result<T>) -> Self {
        match result {
            Ok(value) => Seen::Here(value),
            Err(error) => Seen::from(Err::<T, _>(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_descriptors_or_memory_is_not_a_lack_of_support() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
            assert_eq!(Seen::from(Err::<(), _>(errno)), Seen::Exhausted, "{errno}");
        }
        assert_eq!(Seen::from(Err::<(), _>(Errno::INVAL)), Seen::Unsupported);
    }
}
