//! Rankers beside each other.
#![allow(missing_docs)]

mod rankers;
