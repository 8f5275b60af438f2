//! What travels, and how far a group has come.

use std::collections::BTreeMap;

use schemas::{Timestamp, Topic};

use crate::BusError;

/// A record on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it goes.
    pub topic: Topic,
    /// Records of one key keep their order; in a compacted topic the newest replaces the earlier ones.
    pub key: String,
    /// From 0; without one the key decides, by [`partition_of`].
    pub partition: Option<i32>,
    /// Names and values, in order; a name may occur more than once.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Empty in a compacted topic means that the key is gone.
    pub value: Vec<u8>,
    /// The record's own time, which says nothing about how long it stays. What must arrive is to be in the value: Kafka's
    /// topics tell the time of arrival instead.
    pub time: Timestamp,
}

impl Record {
    /// A record without headers whose key decides the partition.
    pub fn new(topic: Topic, key: impl Into<String>, value: Vec<u8>, time: Timestamp) -> Self {
        Record { topic, key: key.into(), partition: None, headers: Vec::new(), value, time }
    }

    /// The record with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The record as a CloudEvent in binary mode whose data is Avro.
    #[must_use]
    pub fn cloud_event(self, event: CloudEvent<'_>) -> Self {
        self.header("ce_specversion", "1.0")
            .header("ce_id", event.id)
            .header("ce_type", event.event_type)
            .header("ce_source", event.source)
            .header("ce_subject", event.subject)
            .header("ce_time", event.time.to_string())
            .header("content-type", "application/avro")
    }

    /// The record with its partition chosen, whatever the key.
    #[must_use]
    pub fn to_partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The partition that it goes to, out of `partitions`, if it has at most `limit` bytes.
    pub(crate) fn check(&self, limit: u64, partitions: u16) -> Result<i32, BusError> {
        let (topic, found) = (self.topic, self.size());
        if u64::try_from(found).is_ok_and(|found| found > limit) {
            return Err(BusError::RecordTooLarge { topic, key: self.key.clone(), found, limit });
        }
        match self.partition {
            None => Ok(partition_of(&self.key, partitions)),
            Some(partition) if (0..i32::from(partitions)).contains(&partition) => Ok(partition),
            Some(found) => Err(BusError::UnknownPartition { topic, found, partitions }),
        }
    }

    /// The bytes of key, headers and value, which the bus's limits count.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.len() + headers + self.value.len()
    }
}

/// What the headers of a CloudEvent say, as in
/// [version 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
#[derive(Clone, Debug)]
pub struct CloudEvent<'a> {
    /// No two events of one source have the same.
    pub id: String,
    /// What happened, and the version of its form.
    pub event_type: &'a str,
    /// Who tells.
    pub source: String,
    /// Whom it is about.
    pub subject: &'a str,
    /// When it happened.
    pub time: Timestamp,
}

/// A record that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where it was.
    pub topic: Topic,
    /// From 0.
    pub partition: i32,
    /// Grows by one per record of the partition, from 0; those of records that are gone are not used again.
    pub offset: i64,
    /// As it was published.
    pub key: String,
    /// As they were published.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As it was published.
    pub value: Vec<u8>,
    /// The record's own time, or that of its arrival.
    pub time: Timestamp,
}

impl Delivery {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_slice())
    }

    /// The record for the dead letters: its raw bytes, with where they come from and why they could not be taken.
    pub fn dead_letter(&self, why: &str) -> Record {
        let from = format!("{}/{}/{}", self.topic, self.partition, self.offset);
        let mut letter = Record::new(Topic::DeadLetter, self.key.clone(), self.value.clone(), self.time);
        letter.headers.clone_from(&self.headers);
        letter.header("from", from).header("why", why)
    }

    /// Whether it only says, in a compacted topic, that its key is gone.
    pub fn is_tombstone(&self) -> bool {
        self.value.is_empty()
    }
}

/// How far a group has come: the next offset to read, per topic and partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    /// The group's name.
    pub group: String,
    /// Partitions that are not listed stay where they are.
    pub next: Vec<(Topic, i32, i64)>,
}

impl Positions {
    /// The positions of a group that has done with all of `deliveries`.
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

/// The partition of a key, out of `partitions`: FNV-1a, so that every program and every bus agree on it.
pub fn partition_of(key: &str, partitions: u16) -> i32 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = key.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    i32::try_from(hash % u64::from(partitions.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(topic: Topic, partition: i32, offset: i64) -> Delivery {
        let (key, headers, value) = (String::new(), Vec::new(), Vec::new());
        Delivery { topic, partition, offset, key, headers, value, time: Timestamp(0) }
    }

    #[test]
    fn positions_stand_behind_the_last_delivery_of_each_partition() {
        let deliveries = [delivery(Topic::Alerts, 1, 4), delivery(Topic::Alerts, 0, 9), delivery(Topic::Alerts, 1, 5)];
        let positions = Positions::after("readers", &deliveries);
        assert_eq!(positions.next, [(Topic::Alerts, 0, 10), (Topic::Alerts, 1, 6)]);
    }

    #[test]
    fn the_partition_of_a_key_is_the_published_fnv_1a() {
        // Known answers: a change of the hash would send a key's next record to another partition.
        assert_eq!(partition_of("", u16::MAX), i32::try_from(0xcbf2_9ce4_8422_2325_u64 % 65535).unwrap_or(-1));
        assert_eq!(partition_of("foobar", u16::MAX), i32::try_from(0x8594_4171_f739_67e8_u64 % 65535).unwrap_or(-1));
        assert_eq!(partition_of("foobar", 1), 0);
        assert_eq!(partition_of("foobar", 0), 0);
    }
}
