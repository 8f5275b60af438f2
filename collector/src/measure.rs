//! A measured value, or the reason why it is missing.

use hostread::Seen;

/// Why a value is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It takes more rights.
    Denied,
    /// It went while it was read.
    Gone,
    /// This kernel does not have it.
    Unsupported,
    /// It did not come in time.
    Late,
    /// This program or the host ran out of file descriptors or memory.
    Exhausted,
    /// It is switched off, here or in the kernel, or left out on purpose.
    Off,
    /// It takes two sweeps.
    FirstSweep,
}

impl Reason {
    /// The word that records carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Denied => "denied",
            Reason::Gone => "gone",
            Reason::Unsupported => "unsupported",
            Reason::Late => "late",
            Reason::Exhausted => "exhausted",
            Reason::Off => "off",
            Reason::FirstSweep => "first-sweep",
        }
    }
}

/// A value, or why there is none.
pub type Measured = Result<f64, Reason>;

/// The value of a read, with the reason that records carry where there is none.
pub trait IntoMeasured<T> {
    /// The value, or why there is none.
    fn measured(self) -> Result<T, Reason>;
}

impl<T> IntoMeasured<T> for Seen<T> {
    #[inline]
    fn measured(self) -> Result<T, Reason> {
        match self {
            Seen::Here(value) => Ok(value),
            Seen::Gone => Err(Reason::Gone),
            Seen::Denied => Err(Reason::Denied),
            Seen::Unsupported => Err(Reason::Unsupported),
            Seen::Late => Err(Reason::Late),
            Seen::Exhausted => Err(Reason::Exhausted),
        }
    }
}
