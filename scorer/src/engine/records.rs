//! The records that a snapshot leads to.

use bus::{CloudEvent, Record};
use schemas::{CodecError, HealthySnapshot, Timestamp, Topic, codec::Record as Schema};

use crate::incident::Change;

/// Result of processing one snapshot.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) healthy: Option<HealthySnapshot>,
    pub(super) changes: Vec<Change>,
}

impl Outcome {
    /// The records that can be encoded, all in the partition of the snapshot, and why others
    /// cannot.
    pub(super) fn into_records(self, partition: Option<i32>) -> (Vec<Record>, Option<String>) {
        let healthy = self.healthy.map(|healthy| {
            to_record(Topic::Healthy, healthy.host.clone(), partition, healthy.time, &healthy)
                .map(|record| vec![record])
        });
        let changes = self.changes.iter().map(|change| change_records(change, partition).map(Vec::from));
        let mut records = Vec::new();
        let mut problem = None;
        for encoded in healthy.into_iter().chain(changes) {
            match encoded {
                Ok(encoded) => records.extend(encoded),
                Err(error) => problem = Some(error.to_string()),
            }
        }
        (records, problem)
    }
}

/// The records of a change: its event for the alerts topic, and the new state for the incidents
/// topic.
///
/// Both go to the partition of the snapshot, so that the records of a host keep their order.
///
/// # Errors
/// If a record cannot be encoded.
pub fn change_records(change: &Change, partition: Option<i32>) -> Result<[Record; 2], CodecError> {
    let Change { event, incident } = change;
    let alert = to_record(Topic::Alerts, event.incident.clone(), partition, event.time, event)?;
    let id = format!("{}/{}/{}", event.incident, event.event, event.time.0);
    let event_type = format!("detective.incident.{}.v1", event.event);
    let alert = alert.with_cloud_event(CloudEvent {
        id,
        event_type: &event_type,
        source: format!("detective/scorer/{}", event.host),
        subject: &event.host,
        time: event.time,
    });
    let state = to_record(Topic::Incidents, incident.incident.clone(), partition, incident.updated_at, incident)?;
    Ok([alert, state])
}

fn to_record<S: Schema>(
    topic: Topic,
    key: String,
    partition: Option<i32>,
    time: Timestamp,
    value: &S,
) -> Result<Record, CodecError> {
    let record = Record::new(topic, key, schemas::encode(value)?, time);
    Ok(match partition {
        Some(partition) => record.with_partition(partition),
        None => record,
    })
}
