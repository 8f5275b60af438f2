//! The incidents of all hosts, as the incidents topic holds them, and when they are deleted there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bus::{Delivery, Record};
use schemas::{Incident, IncidentState, Timestamp, Topic};

/// Number of resolved incidents to keep. Beyond it, the oldest ones are deleted.
const MAX_RESOLVED: usize = 2000;
/// Largest number of tombstones to publish at once.
const MAX_TOMBSTONES: usize = 500;

/// Known incidents by id, with the partitions of their records.
///
/// It holds as many incidents as it keeps in the topic, so that neither grows without limit.
#[derive(Debug, Default)]
pub struct IncidentStore {
    incidents: BTreeMap<String, StoredIncident>,
    /// Ids and partitions of incidents that are deleted here, but not in the topic yet.
    deleted: Vec<(String, Option<i32>)>,
    /// Number of incidents at which surplus ones are deleted the next time while the topic is read.
    next_check: usize,
}

#[derive(Debug)]
struct StoredIncident {
    incident: Incident,
    /// Partition of its latest state.
    partition: Option<i32>,
    /// When partitions were added, an earlier state can remain in another partition.
    partitions: BTreeSet<i32>,
}

impl FromIterator<Incident> for IncidentStore {
    fn from_iter<I: IntoIterator<Item = Incident>>(incidents: I) -> IncidentStore {
        let mut store = IncidentStore::default();
        incidents.into_iter().for_each(|incident| store.insert(incident, None));
        store
    }
}

impl IncidentStore {
    /// All known incidents, ordered by id.
    pub fn values(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(|stored| &stored.incident)
    }

    /// Adds a record of the incidents topic.
    pub fn read(&mut self, delivery: &Delivery) {
        let Ok(incident) = schemas::decode::<Incident>(&delivery.value) else {
            self.incidents.remove(&delivery.key);
            return;
        };
        if incident.incident == delivery.key {
            self.insert(incident, Some(delivery.partition));
        }
        // The topic can hold more than is kept.
        if self.incidents.len() > self.next_check.max(2 * MAX_RESOLVED) {
            self.delete_surplus();
            self.next_check = 2 * self.incidents.len();
        }
    }

    /// Adds the latest state of an incident, whose record goes to `partition`.
    pub fn insert(&mut self, incident: Incident, partition: Option<i32>) {
        match self.incidents.get_mut(&incident.incident) {
            Some(stored) => {
                stored.partitions.extend(partition);
                if stored.incident.updated_at <= incident.updated_at {
                    stored.partition = partition.or(stored.partition);
                    stored.incident = incident;
                }
            }
            None => {
                let id = incident.incident.clone();
                let partitions = partition.into_iter().collect();
                self.incidents.insert(id, StoredIncident { incident, partition, partitions });
            }
        }
    }

    /// Deletes incidents that were resolved longer than `keep` ago, those that `is_abandoned` and
    /// have not changed for as long, and the oldest resolved ones beyond a fixed number. Returns
    /// tombstones for the topic; at most a batch, the next call continues.
    pub fn expire(
        &mut self,
        now: Timestamp,
        keep: Duration,
        is_abandoned: impl Fn(&Incident, Option<i32>) -> bool,
    ) -> Vec<Record> {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let expired = self.incidents.values().filter(|stored| now.millis_since(stored.incident.updated_at) > keep_ms);
        let expired = expired.filter(|stored| {
            stored.incident.state == IncidentState::Resolved || is_abandoned(&stored.incident, stored.partition)
        });
        let ids: Vec<String> = expired.map(|stored| stored.incident.incident.clone()).collect();
        ids.iter().for_each(|id| self.delete(id));
        self.delete_surplus();
        let batch = self.deleted.split_off(self.deleted.len().saturating_sub(MAX_TOMBSTONES));
        batch.into_iter().map(|(id, partition)| to_tombstone(id, partition, now)).collect()
    }

    /// Deletes the oldest resolved incidents beyond [`MAX_RESOLVED`].
    fn delete_surplus(&mut self) {
        if self.incidents.len() <= MAX_RESOLVED {
            return;
        }
        let resolved = self.values().filter(|incident| incident.state == IncidentState::Resolved);
        let mut resolved: Vec<_> = resolved.map(|incident| (incident.updated_at, incident.incident.clone())).collect();
        resolved.sort_unstable();
        let surplus = resolved.len().saturating_sub(MAX_RESOLVED);
        resolved.iter().take(surplus).for_each(|(_, id)| self.delete(id));
    }

    fn delete(&mut self, id: &str) {
        let Some(stored) = self.incidents.remove(id) else { return };
        let partitions = stored.partitions.into_iter().map(Some);
        let known = self.deleted.len();
        self.deleted.extend(partitions.map(|partition| (id.to_owned(), partition)));
        if self.deleted.len() == known {
            self.deleted.push((id.to_owned(), None));
        }
    }
}

/// A record without a value, which deletes the incident in the compacted topic.
fn to_tombstone(id: String, partition: Option<i32>, now: Timestamp) -> Record {
    let record = Record::new(Topic::Incidents, id, Vec::new(), now);
    match partition {
        Some(partition) => record.with_partition(partition),
        None => record,
    }
}
