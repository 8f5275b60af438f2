//! Tests of readers and parsers on the kernel of this host.

mod reference;
