//! Tests of the command line, of all programs together, and of what needs more than one crate.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

mod commands;
mod doctor;
mod downstream;
mod evaluate;
mod events;
mod fatal;
mod fault;
mod kafka;
mod model_parity;
mod processes;
mod programs;
mod recording;
mod releases;
mod settings_reference;
mod up;
