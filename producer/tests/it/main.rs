//! The producer on real processes of this very host.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "what children do and what the kernel counts takes true time")]

mod children;
mod fixture;
mod host;
mod locks;
mod moody;
mod namespace;
mod network;
mod own;
mod parts;
mod reference;
mod rights;
mod run;
mod signals;
mod states;
mod tape;
