//! What a person types, what comes of it, and what needs two rooms to be told.
#![allow(clippy::unwrap_used, missing_docs)]

mod commands;
mod doctor;
mod downstream;
mod evaluate;
mod events;
mod fault;
mod kafka;
mod manual;
mod parity;
mod programs;
mod recording;
mod running;
mod up;
