//! Tests of the rankers.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

mod rankers;
