//! Tests of the rankers.
#![allow(missing_docs)]

mod rankers;
