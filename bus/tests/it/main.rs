//! The contract of the bus, and the properties of each implementation.
#![allow(clippy::unwrap_used)]

mod config;
mod crash;
#[cfg(feature = "kafka")]
mod kafka;
mod opening;
mod retention;

use std::sync::Arc;

use async_trait::async_trait;
use bus::{
    Bus, BusConfig, EmbeddedBus,
    contract::{Fixture, MAX_RECORD_BYTES, PARTITIONS},
};
use tempfile::TempDir;

/// A temporary directory with the data directory of a bus.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Directory(TempDir::new().unwrap())
    }

    fn config(&self) -> BusConfig {
        BusConfig { path: self.0.path().join("data"), ..BusConfig::default() }
    }
}

#[async_trait]
impl Fixture for Directory {
    async fn open(&self) -> Arc<dyn Bus> {
        let config = BusConfig { partitions: PARTITIONS, max_record_bytes: MAX_RECORD_BYTES, ..self.config() };
        Arc::new(EmbeddedBus::open(&config).await.unwrap())
    }
}

bus::contract_tests!(Directory::new());
