//! Evaluates how well rankers find root causes, on cases with a known answer.
//!
//! The rankers are the detective itself, the original proof of concept, a robust z-score without a
//! model, and chance.
//!
//! **Promises:** rankers receive a [`case::CaseInput`] and never the [`case::GroundTruth`]. The
//! same directory and settings always give the same figures.
//!
//! **Never:** no results on standard output, and no scoring while an experiment is recorded.
//!
//! In reading order:
//! - [`case`]: a case, its input and its ground truth; [`case_list`]: the cases of a directory
//! - [`client_impact`]: latency and errors that the clients of a workload measured
//! - [`experiment`]: executes a plan on this host, which records cases
//! - [`recording`]: files of recorded snapshots or raw reads; [`json_lines`]: graphs that did not
//!   come from a host, with units by [`metric_names`]; [`case_snapshots`]: either of them
//! - [`rankers`]: the algorithms that are compared
//! - [`settings`], [`training`]: trains the rankers on healthy snapshots; [`false_alarms`]: counts
//!   incidents in healthy time
//! - [`case_run`]: runs the rankers over a case; [`judge`]: compares their rankings with the ground
//!   truth, by [`tied_rank`]
//! - [`figures`]: means over many cases, with confidence intervals by [`bootstrap`]
//! - [`evaluate`]: all of this for a directory
//! - [`results`]: JSON; [`table`]: text; [`pictures`]: SVG

pub mod bootstrap;
pub mod case;
pub mod case_list;
pub mod case_run;
pub mod case_snapshots;
pub mod client_impact;
pub mod evaluate;
pub mod experiment;
pub mod false_alarms;
pub mod figures;
pub mod json_lines;
pub mod judge;
pub mod metric_names;
pub mod pictures;
pub mod rankers;
pub mod recording;
pub mod results;
pub mod settings;
pub mod table;
pub mod tied_rank;
pub mod training;

pub use evaluate::evaluate_cases;
