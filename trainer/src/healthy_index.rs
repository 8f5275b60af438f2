//! Where the healthy snapshots of each cohort are in their topic.
//!
//! The topic holds days of snapshots of all cohorts. Each record is read once to note its location;
//! a training run then reads only the records of its sample.

use std::{collections::HashMap, time::Duration};

use bus::{Bus, BusError, Cursor, Delivery};
use schemas::{HealthySnapshot, Timestamp, Topic};

use crate::{cohort::DueCohort, dataset, sampler::Sampler};

/// Number of records to read at once.
const BATCH: usize = 256;

/// The locations of an evenly spread sample of each cohort's records.
#[derive(Debug)]
pub(crate) struct HealthyIndex {
    max_snapshots: usize,
    /// After the last record that was noted.
    cursor: Cursor,
    by_cohort: HashMap<String, CohortSample>,
}

/// The sample of a cohort's newest generation.
#[derive(Debug)]
struct CohortSample {
    generation: i64,
    locations: Sampler<Location>,
}

/// A record of the healthy topic.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Location {
    partition: i32,
    offset: i64,
}

impl HealthyIndex {
    /// An empty index of at most `max_snapshots` records of each cohort.
    pub(crate) fn new(max_snapshots: usize) -> HealthyIndex {
        HealthyIndex { max_snapshots, cursor: Cursor::start(Topic::Healthy), by_cohort: HashMap::new() }
    }

    /// Notes all records since the last call, and calls `visit` with each valid one.
    ///
    /// # Errors
    /// If the topic cannot be read. The next call continues.
    pub(crate) async fn update(
        &mut self,
        bus: &dyn Bus,
        now: Timestamp,
        mut visit: impl FnMut(&HealthySnapshot) + Send,
    ) -> Result<(), BusError> {
        loop {
            let page = bus.read(&self.cursor, BATCH, Duration::ZERO).await?;
            self.cursor = page.next;
            if page.deliveries.is_empty() {
                return Ok(());
            }
            for delivery in page.deliveries {
                let record = schemas::decode::<HealthySnapshot>(&delivery.value).ok();
                if let Some(record) = record.filter(|record| record.check(&delivery.key, now).is_ok()) {
                    visit(&record);
                    self.add(record, &delivery);
                }
            }
        }
    }

    fn add(&mut self, record: HealthySnapshot, delivery: &Delivery) {
        let new_sample = || CohortSample { generation: record.generation, locations: Sampler::new(self.max_snapshots) };
        let sample = self.by_cohort.entry(record.cohort).or_insert_with(new_sample);
        if record.generation > sample.generation {
            *sample = CohortSample { generation: record.generation, locations: Sampler::new(self.max_snapshots) };
        }
        if record.generation == sample.generation {
            sample.locations.push(Location { partition: delivery.partition, offset: delivery.offset });
        }
    }

    /// Reads encoded snapshots of a cohort, ordered as in the topic: an evenly spread sample that
    /// includes the newest and holds about `max_nodes` nodes together.
    ///
    /// # Errors
    /// If the topic cannot be read.
    pub(crate) async fn read_sample(
        &mut self,
        bus: &dyn Bus,
        due: &DueCohort,
        max_nodes: usize,
    ) -> Result<Vec<Vec<u8>>, BusError> {
        self.remove_deleted(bus, due).await?;
        let sample = self.by_cohort.get(&due.cohort).filter(|sample| sample.generation == due.generation);
        let mut locations = sample.map(|sample| sample.locations.clone().finish()).unwrap_or_default();
        let Some(newest) = locations.pop() else { return Ok(Vec::new()) };
        let Some(newest) = self.read_snapshot(bus, newest).await? else { return Ok(Vec::new()) };
        let n_snapshots = dataset::max_snapshots(&newest, max_nodes);
        let mut snapshots = Vec::new();
        for location in dataset::select_evenly(locations, n_snapshots.saturating_sub(1)) {
            snapshots.extend(self.read_snapshot(bus, location).await?);
        }
        snapshots.push(newest);
        Ok(snapshots)
    }

    /// Removes the oldest locations of a cohort, whose records retention has deleted.
    async fn remove_deleted(&mut self, bus: &dyn Bus, due: &DueCohort) -> Result<(), BusError> {
        let Some(sample) = self.by_cohort.get(&due.cohort) else { return Ok(()) };
        let mut n_deleted = 0;
        let locations = sample.locations.clone().finish();
        for location in &locations {
            if self.read_snapshot(bus, *location).await?.is_some() {
                break;
            }
            n_deleted += 1;
        }
        let deleted = &locations[..n_deleted];
        if let Some(sample) = self.by_cohort.get_mut(&due.cohort) {
            sample.locations.retain(|location| !deleted.contains(location));
        }
        Ok(())
    }

    /// The encoded snapshot of the record at this location; `None` if it was deleted.
    async fn read_snapshot(&self, bus: &dyn Bus, location: Location) -> Result<Option<Vec<u8>>, BusError> {
        let mut from = self.cursor.clone().with_position(location.partition, location.offset);
        loop {
            let page = bus.read(&from, 1, Duration::ZERO).await?;
            let Some(delivery) = page.deliveries.into_iter().next() else { return Ok(None) };
            if delivery.partition == location.partition {
                let is_found = delivery.offset == location.offset;
                let record = schemas::decode::<HealthySnapshot>(&delivery.value).ok().filter(|_| is_found);
                return Ok(record.map(|record| record.snapshot));
            }
            // Records that arrive in other partitions meanwhile can come first.
            from = page.next;
        }
    }
}
