//! The descriptions of faults, in listings and in the manual.
#![allow(missing_docs)]

mod listing;
mod manual;
