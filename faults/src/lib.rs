//! Trouble made on purpose, to see the detective at work and to judge it by what is known to be true.
//!
//! **Promises:** a fault is bounded in time and size, and says what is true the moment it begins. It is undone when it is over,
//! when it is interrupted, and when any one of its processes is killed: the [`guard`], which outlives the process that
//! started the fault, is told how to take back each change before it is made. Should the guard itself be killed, the process
//! that started it takes them back.
//!
//! **Never:** it touches nothing but what it made itself and the parts of the shop, which is there to be broken. It prints nothing.
//!
//! A fault's processes are the program that links this crate, started again: it must run [`play::play`] on `fault part --parent PID
//! JSON` and [`guard::run`] on `guard`.
//!
//! - [`catalogue`]: all faults that there are, each a [`fault`]: [`cpu`], [`memory`], [`locks`], [`hung`], [`disk`], [`network`],
//!   [`process`], [`logs`], [`benign`]
//! - [`inject`]: a fault from its beginning to its end
//! - [`stage`]: what a fault is played on; [`part`]: who plays in it, each a process of its own; [`play`]: what that process does
//! - [`guard`], [`undo`]: how it is taken back
//! - [`need`], [`safety`]: whether it can be started here, and whether it may be
//! - [`shop`], [`group`], [`who`]: the shop, control groups and processes as they are
//! - [`truth`], [`shown`]: what is told of it

pub mod benign;
pub mod catalogue;
pub mod cpu;
pub mod disk;
pub mod fault;
pub mod group;
pub mod guard;
pub mod hung;
pub mod inject;
pub mod locks;
pub mod logs;
pub mod memory;
pub mod need;
pub mod network;
pub mod part;
pub mod play;
pub mod process;
pub mod safety;
pub mod shop;
pub mod shown;
pub mod stage;
pub mod truth;
pub mod undo;
pub mod who;

pub use inject::{Injection, Progress, inject};
