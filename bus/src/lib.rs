//! Topics in and out: where every program leaves its records and finds the others'.
//!
//! **Promises:** records of one key keep their order; a publication and the positions that go with it happen together
//! or not at all; what was acknowledged is there after the death of any process; an offset is never given out twice;
//! what is read fits in memory, however much a topic holds.
//! **Never:** no graphs, no `/proc`, no decoding: a record's value is bytes here. No broker of our own either: the
//! embedded bus is one SQLite file that every process of the machine opens for itself.
//!
//! - [`record`]: what travels, and how far a group has come
//! - [`api`]: the traits [`Bus`] and [`Subscription`], and how a topic is read without a group
//! - [`config`]: which bus, and its limits
//! - [`error`]: what goes wrong, and what to do about it
//! - [`embedded`]: the bus in an SQLite file
//! - [`topics`]: the topics made and looked at
//! - `kafka` (feature `kafka`): the bus on Apache Kafka
//! - `contract` (feature `contract`): the tests that every implementation passes

use std::sync::Arc;

pub mod api;
pub mod config;
#[cfg(feature = "contract")]
pub mod contract;
pub mod embedded;
pub mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod record;
pub mod topics;

pub use api::{Bus, Cursor, Page, Subscription, for_each};
pub use config::{BusConfig, BusKind, KafkaConfig, RetentionConfig};
pub use embedded::EmbeddedBus;
pub use error::BusError;
#[cfg(feature = "kafka")]
pub use kafka::KafkaBus;
pub use record::{CloudEvent, Delivery, Positions, Record, partition_of};

/// Opens the bus that `config` names. The embedded one is created where it does not exist; on Kafka the topics must be
/// there already, as [`Topic`](schemas::Topic) says.
pub async fn open(config: &BusConfig) -> Result<Arc<dyn Bus>, BusError> {
    match config.kind {
        BusKind::Embedded => Ok(Arc::new(EmbeddedBus::open(config).await?)),
        #[cfg(feature = "kafka")]
        BusKind::Kafka => Ok(Arc::new(KafkaBus::open(config).await?)),
        #[cfg(not(feature = "kafka"))]
        BusKind::Kafka => Err(BusError::WITHOUT_KAFKA),
    }
}
