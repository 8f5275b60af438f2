//! Tests of readers and parsers on the kernel of this host.

#![allow(clippy::unwrap_used)]

mod reference;
