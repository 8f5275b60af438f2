//! The records that travel, and their bytes.
//!
//! **Promises:** every record has an `.avsc` beside this crate that is its contract; [`codec::decode`] reads every
//! version that was ever released; bytes that are not such a record are an error that says what was found.
//!
//! **Never:** no Kafka, no tensors. What a record means is for others to say.
//!
//! - [`observation`]: what a producer saw of a host
//! - [`healthy`]: a snapshot that may be learned from
//! - [`release`]: a trained model and what it needs to be judged by
//! - [`alert`]: suspects, events and incidents
//! - [`raw`]: what a sweep read, for files alone
//! - [`topic`]: where each record goes and how long it stays
//! - [`vocabulary`]: kinds, units, forms and reasons; unknown words are kept
//! - [`codec`]: Avro single-object encoding
//! - [`container`]: Avro object container files

pub mod alert;
pub mod codec;
pub mod container;
pub mod healthy;
mod number;
pub mod observation;
pub mod raw;
pub mod release;
pub mod time;
pub mod topic;
pub mod vocabulary;

pub use alert::{EventKind, Incident, IncidentState, Reason, RootCauseEvent, Stage, Suspect};
pub use codec::{CodecError, decode, encode};
pub use healthy::{HealthySnapshot, VouchedBy};
pub use observation::{Column, Coverage, Edge, Evidence, GraphSnapshot, Missing, Node};
pub use raw::RawRead;
pub use release::{Calibration, ColumnLimit, ColumnSpec, Manifest, ModelRelease, RoleCalibration};
pub use time::Timestamp;
pub use topic::Topic;
pub use vocabulary::{EdgeBasis, EdgeKind, Form, MissingReason, NodeKind, Unit};
