//! What a read found.

use std::io;

use rustix::io::Errno;

/// What a read found. Processes exit between two reads, so `Gone` is an answer, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It is there.
    Here(T),
    /// It was there before, or never.
    Gone,
    /// It takes more rights.
    Denied,
    /// This kernel or file system does not have it.
    Unsupported,
    /// It did not come in time.
    Late,
}

impl<T> Seen<T> {
    /// The value, if it is there.
    pub fn here(self) -> Option<T> {
        match self {
            Seen::Here(value) => Some(value),
            _ => None,
        }
    }

    /// Whether asking again would give no other answer: it is there, or takes rights.
    pub fn is_settled(&self) -> bool {
        matches!(self, Seen::Here(_) | Seen::Denied)
    }

    /// The same answer about something made from the value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Seen<U> {
        self.and_then(|value| Seen::Here(make(value)))
    }

    /// The answer to a second question that only a value raises.
    pub fn and_then<U>(self, ask: impl FnOnce(T) -> Seen<U>) -> Seen<U> {
        match self {
            Seen::Here(value) => ask(value),
            Seen::Gone => Seen::Gone,
            Seen::Denied => Seen::Denied,
            Seen::Unsupported => Seen::Unsupported,
            Seen::Late => Seen::Late,
        }
    }

    /// A look at the value.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Seen::Here(value) => Seen::Here(value),
            Seen::Gone => Seen::Gone,
            Seen::Denied => Seen::Denied,
            Seen::Unsupported => Seen::Unsupported,
            Seen::Late => Seen::Late,
        }
    }
}

impl<T> From<Result<T, Errno>> for Seen<T> {
    fn from(result: Result<T, Errno>) -> Self {
        match result {
            Ok(value) => Seen::Here(value),
            Err(Errno::NOENT | Errno::SRCH) => Seen::Gone,
            Err(Errno::ACCESS | Errno::PERM) => Seen::Denied,
            Err(Errno::TIMEDOUT) => Seen::Late,
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
