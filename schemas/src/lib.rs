//! Records, their Avro schemas and their wire format.
//!
//! **Promises:** every record has an `.avsc` file in this crate that is its contract;
//! [`codec::decode`] reads every released version; bytes that are not such a record give an error
//! that says what was found.
//!
//! **Never:** no Kafka, no tensors, no interpretation of a record's content.
//!
//! - [`observation`]: snapshots, what a producer observed on a host
//! - [`healthy`]: snapshots to train on
//! - [`release`]: model releases
//! - [`alert`]: suspects, events and incidents
//! - [`action`]: what operators change
//! - [`raw`]: raw reads of a sweep, in files only
//! - [`topic`]: topics and their retention
//! - [`vocabulary`]: kinds, units, forms and reasons; unknown words are kept
//! - [`check`]: checks of a record's identity and numbers before it takes effect
//! - [`text`]: text of a host in a form that is safe to show
//! - [`codec`]: Avro single-object encoding
//! - [`container`]: Avro object container files

pub mod action;
pub mod alert;
pub mod check;
pub mod codec;
pub mod container;
pub mod healthy;
mod number;
pub mod observation;
pub mod raw;
pub mod release;
pub mod text;
pub mod time;
pub mod topic;
pub mod vocabulary;

pub use action::{ActionKind, OperatorAction};
pub use alert::{EventKind, Incident, IncidentState, Reason, RootCauseEvent, Stage, Suspect};
pub use check::InvalidRecord;
pub use codec::{CodecError, decode, encode};
pub use healthy::{HealthSource, HealthySnapshot};
pub use observation::{Column, Coverage, Edge, Evidence, GraphSnapshot, Missing, Node};
pub use raw::RawRead;
pub use release::{Calibration, ColumnLimit, ColumnSpec, Manifest, ModelRelease, RoleCalibration};
pub use time::Timestamp;
pub use topic::Topic;
pub use vocabulary::{EdgeBasis, EdgeKind, Form, MissingReason, NodeKind, Unit};
