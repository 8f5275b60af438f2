//! Records, and the positions of consumer groups.

use std::collections::BTreeMap;

use schemas::{Timestamp, Topic};

use crate::BusError;

/// A record to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The topic.
    pub topic: Topic,
    /// Records of one key keep their order. In a compacted topic, the newest one replaces the
    /// others.
    pub key: String,
    /// The partition, from 0. `None`: [`partition_for_key`] chooses it.
    pub partition: Option<i32>,
    /// Names and values, in order. A name can occur more than once.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The payload. An empty value deletes the key in a compacted topic.
    pub value: Vec<u8>,
    /// The record's own time. Retention ignores it, and Kafka's topics replace it with the time of
    /// arrival: put a time that readers need into the value.
    pub time: Timestamp,
}

impl Record {
    /// A record without headers, whose key chooses the partition.
    pub fn new(topic: Topic, key: impl Into<String>, value: Vec<u8>, time: Timestamp) -> Self {
        Record { topic, key: key.into(), partition: None, headers: Vec::new(), value, time }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds the headers of a CloudEvent in binary mode whose data is Avro.
    #[must_use]
    pub fn with_cloud_event(self, event: CloudEvent<'_>) -> Self {
        self.with_header("ce_specversion", "1.0")
            .with_header("ce_id", event.id)
            .with_header("ce_type", event.event_type)
            .with_header("ce_source", event.source)
            .with_header("ce_subject", event.subject)
            .with_header("ce_time", event.time.to_string())
            .with_header("content-type", "application/avro")
    }

    /// Sets the partition, whatever the key.
    #[must_use]
    pub fn with_partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Checks the size limit in bytes and returns the partition, out of `partitions`. Errors carry
    /// `index`, that of the record in its publication.
    pub(crate) fn check(&self, index: usize, limit: u64, partitions: u16) -> Result<i32, BusError> {
        let topic = self.topic;
        let found = self.size();
        if u64::try_from(found).is_ok_and(|found| found > limit) {
            return Err(BusError::RecordTooLarge { index, topic, key: self.key.clone(), found, limit });
        }
        match self.partition {
            None => Ok(partition_for_key(&self.key, partitions)),
            Some(partition) if (0..i32::from(partitions)).contains(&partition) => Ok(partition),
            Some(found) => Err(BusError::UnknownPartition { index, topic, found, partitions }),
        }
    }

    /// The size of key, headers and value in bytes, to which the limits of the bus apply.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.len() + headers + self.value.len()
    }
}

/// The attributes of a CloudEvent, as in
/// [version 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
#[derive(Clone, Debug)]
pub struct CloudEvent<'a> {
    /// Identifies the event among those of its source.
    pub id: String,
    /// The kind of event and its version, such as `detective.model.v1`.
    pub event_type: &'a str,
    /// The program and instance that the event is from.
    pub source: String,
    /// The subject of the event within its source, such as a host id.
    pub subject: &'a str,
    /// The time of the event.
    pub time: Timestamp,
}

/// A record as it was read from the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The topic.
    pub topic: Topic,
    /// The partition, from 0.
    pub partition: i32,
    /// Increases with each record of the partition, from 0. The offsets of deleted records are not
    /// used again.
    pub offset: i64,
    /// The key as it was published.
    pub key: String,
    /// The headers as they were published.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The value as it was published.
    pub value: Vec<u8>,
    /// The record's own time (embedded bus) or the time of its arrival (Kafka).
    pub time: Timestamp,
}

impl Delivery {
    /// The value of the first header with this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_slice())
    }

    /// Whether the record deletes its key in a compacted topic.
    pub fn is_tombstone(&self) -> bool {
        self.value.is_empty()
    }
}

/// The progress of a consumer group: the next offset to read, per topic and partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    /// The name of the group.
    pub group: String,
    /// Topic, partition and next offset. Partitions that are not listed keep their position.
    pub next: Vec<(Topic, i32, i64)>,
}

impl Positions {
    /// The positions of a group that has processed all of `deliveries`.
    pub fn after(group: impl Into<String>, deliveries: &[Delivery]) -> Self {
        let mut next = BTreeMap::new();
        for delivery in deliveries {
            let position = next.entry((delivery.topic, delivery.partition)).or_insert(0);
            *position = delivery.offset.saturating_add(1).max(*position);
        }
        let next = next.into_iter().map(|((topic, partition), offset)| (topic, partition, offset)).collect();
        Positions { group: group.into(), next }
    }
}

/// The partition of a key, out of `partitions`. The hash is FNV-1a in every program and on every
/// bus.
pub fn partition_for_key(key: &str, partitions: u16) -> i32 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = key.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    i32::try_from(hash % u64::from(partitions.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(topic: Topic, partition: i32, offset: i64) -> Delivery {
        Delivery {
            topic,
            partition,
            offset,
            key: String::new(),
            headers: Vec::new(),
            value: Vec::new(),
            time: Timestamp(0),
        }
    }

    #[test]
    fn positions_are_one_after_the_last_delivery_of_each_partition() {
        let deliveries = [delivery(Topic::Alerts, 1, 4), delivery(Topic::Alerts, 0, 9), delivery(Topic::Alerts, 1, 5)];
        let positions = Positions::after("readers", &deliveries);
        assert_eq!(positions.next, [(Topic::Alerts, 0, 10), (Topic::Alerts, 1, 6)]);
    }

    #[test]
    fn the_partition_of_a_key_is_the_published_fnv_1a() {
        // Known answers: another hash would send the next record of a key to another partition.
        assert_eq!(partition_for_key("", u16::MAX), i32::try_from(0xcbf2_9ce4_8422_2325_u64 % 65535).unwrap_or(-1));
        assert_eq!(
            partition_for_key("foobar", u16::MAX),
            i32::try_from(0x8594_4171_f739_67e8_u64 % 65535).unwrap_or(-1)
        );
        assert_eq!(partition_for_key("foobar", 1), 0);
        assert_eq!(partition_for_key("foobar", 0), 0);
    }
}
