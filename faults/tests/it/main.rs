//! The descriptions of faults, in listings and in the manual.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

mod listing;
mod manual;
