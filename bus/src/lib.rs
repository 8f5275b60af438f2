//! Topics in and out: every program publishes its records here and reads those of the others.
//!
//! **Promises:** records of one key keep their order. A publication and its positions take effect
//! together or not at all. An acknowledged record survives the death of any process. An offset is
//! never used twice. A read returns a few megabytes at most, however large the topic is.
//! **Never:** no graphs, no `/proc`, no decoding: the value of a record is bytes. No broker of our
//! own: the embedded bus is one SQLite file that every process on the machine opens.
//!
//! - [`record`]: records, and the positions of consumer groups
//! - [`api`]: the traits [`Bus`] and [`Subscription`], and reading a topic without a group
//! - [`config`]: the settings `[bus]`
//! - [`error`]: errors, their classes, and hints what to do
//! - [`dead_letter`]: keeps records that cannot be processed or published
//! - [`embedded`]: the bus in an SQLite file
//! - [`topics`]: checks and creates the topics of a Kafka cluster
//! - `kafka` (feature `kafka`): the bus on Apache Kafka
//! - `contract` (feature `contract`): the tests that every implementation passes

use std::sync::Arc;

pub mod api;
pub mod config;
#[cfg(feature = "contract")]
pub mod contract;
pub mod dead_letter;
pub mod embedded;
pub mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
mod losses;
pub mod record;
mod topic_difference;
pub mod topics;

pub use api::{Bus, Cursor, Page, Subscription, for_each};
pub use config::{BusConfig, BusKind, KafkaConfig, RetentionConfig};
pub use dead_letter::{Replacement, replace_rejected};
pub use embedded::EmbeddedBus;
pub use error::{BusError, ErrorClass};
#[cfg(feature = "kafka")]
pub use kafka::KafkaBus;
pub use record::{CloudEvent, Delivery, Positions, Record, partition_for_key};

/// Opens the bus that `config` selects.
///
/// Creates the embedded bus if it does not exist. On Kafka the topics must exist already, with the
/// settings that [`topics::check`] expects.
pub async fn open(config: &BusConfig) -> Result<Arc<dyn Bus>, BusError> {
    match config.kind {
        BusKind::Embedded => Ok(Arc::new(EmbeddedBus::open(config).await?)),
        #[cfg(feature = "kafka")]
        BusKind::Kafka => Ok(Arc::new(KafkaBus::open(config).await?)),
        #[cfg(not(feature = "kafka"))]
        BusKind::Kafka => Err(BusError::WITHOUT_KAFKA),
    }
}
