//! Snapshots as bus records, with CloudEvents headers in binary mode.

use bus::{CloudEvent, Record};
use schemas::{CodecError, Coverage, GraphSnapshot, MissingReason, Topic};

/// Encodes a snapshot that reports dropped ones, as item `snapshot` of its coverage.
pub fn with_drop_count(mut snapshot: GraphSnapshot, dropped: i64) -> Result<Record, CodecError> {
    if dropped > 0 {
        let reason = MissingReason::Gone;
        snapshot.coverage.push(Coverage { signal: "snapshot".to_owned(), reason, count: dropped });
    }
    encode(&snapshot)
}

/// Encodes a snapshot, keyed by its host.
fn encode(snapshot: &GraphSnapshot) -> Result<Record, CodecError> {
    let GraphSnapshot { host, run, sequence, ended_at, .. } = snapshot;
    let value = schemas::encode(snapshot)?;
    Ok(Record::new(Topic::Snapshots, host.clone(), value, *ended_at).with_cloud_event(CloudEvent {
        id: format!("{host}/{run}/{sequence}"),
        event_type: "detective.snapshot.v1",
        source: format!("detective-producer/{host}"),
        subject: host,
        time: *ended_at,
    }))
}

#[cfg(test)]
mod tests {
    use schemas::Timestamp;

    use super::*;

    #[test]
    fn the_record_says_who_what_and_when() {
        let snapshot = GraphSnapshot {
            host: "db-1".into(),
            run: "r".into(),
            sequence: 7,
            ended_at: Timestamp(1_700_000_000_123),
            ..GraphSnapshot::default()
        };
        let record = encode(&snapshot).unwrap();
        let header = |name: &str| {
            let (_, value) = record.headers.iter().find(|(header, _)| header == name).unwrap();
            String::from_utf8(value.clone()).unwrap()
        };
        assert_eq!((record.key.as_str(), record.topic, record.time), ("db-1", Topic::Snapshots, snapshot.ended_at));
        assert_eq!((header("ce_id"), header("ce_subject")), ("db-1/r/7".into(), "db-1".into()));
        assert_eq!(header("ce_time"), "2023-11-14T22:13:20.123Z");
        assert_eq!(schemas::decode::<GraphSnapshot>(&record.value).unwrap(), snapshot);
    }
}
