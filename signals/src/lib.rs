//! The catalogue of signals: what is measured on a host, and what each measurement means.
//!
//! **Promises:** each signal has one row, and everything that treats signals differently reads that
//! row: the producer its name, unit and form, the encoder its scale and abnormal side, blame its
//! class, reasons and `docs/signals.md` its label and documentation.
//!
//! **Never:** no I/O and no state. Values are read by `producer` and judged by `graph` and
//! `scorer`.
//!
//! To add a signal, add its row to `catalogue.rs` and read its values in `producer`. A test there
//! fails until both agree.
//!
//! In reading order:
//! - [`signal`]: one row, and the search by name
//! - `catalogue.rs`: the rows
//! - [`class`]: what a signal means to blame
//! - [`scale`]: how values are compared
//! - [`entity`]: the sorts of nodes that have signals
//! - [`source`]: the files that signals are read from
//! - [`coverage`]: what a sweep can lack, what is lost then, and what would provide it
//! - [`manual`] renders `docs/signals.md`

mod catalogue;
pub mod class;
pub mod coverage;
pub mod entity;
pub mod manual;
pub mod scale;
pub mod signal;
pub mod source;

pub use catalogue::Signal;
pub use class::{Class, Resource, WaitFor};
pub use coverage::CoverageItem;
pub use entity::Entity;
pub use scale::{Curve, Scale, Side};
pub use signal::{Definition, present_name};
pub use source::Source;
