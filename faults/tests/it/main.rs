//! What is told of faults before they are started, here and in the manual.
#![allow(missing_docs)]

mod listed;
mod manual;
