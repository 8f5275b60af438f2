//! Readers and parsers on the kernel of this host.

#![allow(clippy::disallowed_methods, reason = "what the kernel counts takes true time")]

mod reference;
