//! A plan played on this very host: a workload is started and recorded while it is well, while it changes harmlessly, and while
//! one fault after another befalls it. What was recorded is a directory of cases, to be judged as any other.
//!
//! Nothing is scored meanwhile, so that all rankers see the same snapshots and none of them costs the host anything.
//!
//! - [`plan`]: what is played, as a person writes it
//! - [`acts`]: in which order, by a seed
//! - [`recorder`]: sweeps of this host, into the file of the act that is on
//! - [`trouble`]: a fault as a process of its own, and what it says is true
//! - [`hurt`]: what the workload's clients felt of it
//! - [`player`]: all of it, act by act

pub mod acts;
pub mod hurt;
pub mod plan;
mod player;
mod recorder;
mod trouble;
mod workload;

pub use plan::Plan;
pub use player::play;
