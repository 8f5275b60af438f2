//! Reads records and positions.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, Rows, Transaction, params};
use schemas::{Timestamp, Topic};

use super::{failure::Failure, headers};
use crate::Delivery;

/// The most that one fetch returns, unless a single record is larger.
const MAX_BYTES: i64 = 4 << 20;

/// The next offset to read, per topic and partition. Missing partitions are read from their oldest
/// record.
pub type NextOffsets = BTreeMap<(Topic, i32), i64>;

/// A partition of a topic: the row of `logs`.
pub struct Log {
    pub id: i64,
    pub topic: Topic,
    pub partition: i32,
}

/// The small columns of a record.
#[derive(Clone, Copy)]
pub struct RecordInfo {
    pub id: i64,
    pub log: i64,
    pub size: i64,
    pub arrived: i64,
}

/// Reads at most `max` records of the topics from `next` on, in the order of their arrival.
pub fn fetch(
    connection: &mut Connection,
    topics: &[Topic],
    next: &NextOffsets,
    max: usize,
) -> Result<Vec<Delivery>, Failure> {
    // One transaction for both steps, or retention could delete a record between them.
    let transaction = connection.transaction()?;
    let logs = logs(&transaction, |topic| topics.contains(&topic))?;
    let mut found = Vec::new();
    for log in &logs {
        let from = next.get(&(log.topic, log.partition)).copied().unwrap_or(0);
        found.extend(record_infos(&transaction, log.id, from, max.max(1), MAX_BYTES)?);
    }
    found.sort_unstable_by_key(|info| info.id);
    found.truncate(max.max(1));
    let mut bytes = 0;
    let mut deliveries = Vec::new();
    for info in found {
        bytes += info.size;
        if bytes > MAX_BYTES && !deliveries.is_empty() {
            break;
        }
        if let Some(log) = logs.iter().find(|log| log.id == info.log) {
            deliveries.push(read_record(&transaction, log, info.id)?);
        }
    }
    Ok(deliveries)
}

/// Returns the logs of the topics that `is_wanted` selects. Skips topics that only a later release
/// knows.
pub fn logs(transaction: &Transaction<'_>, is_wanted: impl Fn(Topic) -> bool) -> rusqlite::Result<Vec<Log>> {
    let mut select = transaction.prepare_cached("SELECT id, topic, partition FROM logs")?;
    let mut rows = select.query([])?;
    let mut logs = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        if let Some(topic) = Topic::from_name(&name).filter(|topic| is_wanted(*topic)) {
            logs.push(Log { id: row.get(0)?, topic, partition: row.get(2)? });
        }
    }
    Ok(logs)
}

/// Returns the oldest records of a log with offset `from` or later: at most `max`, until their
/// sizes reach `max_bytes`.
pub fn record_infos(
    transaction: &Transaction<'_>,
    log: i64,
    from: i64,
    max: usize,
    max_bytes: i64,
) -> rusqlite::Result<Vec<RecordInfo>> {
    let mut select = transaction
        .prepare_cached("SELECT id, size, arrived FROM records WHERE log = ?1 AND offset >= ?2 ORDER BY offset")?;
    let mut rows = select.query(params![log, from])?;
    let mut found = Vec::new();
    let mut bytes = 0;
    while found.len() < max && bytes < max_bytes {
        let Some(row) = rows.next()? else { break };
        let info = RecordInfo { id: row.get(0)?, log, size: row.get(1)?, arrived: row.get(2)? };
        bytes += info.size;
        found.push(info);
    }
    Ok(found)
}

fn read_record(transaction: &Transaction<'_>, log: &Log, id: i64) -> Result<Delivery, Failure> {
    let mut select =
        transaction.prepare_cached("SELECT offset, time, key, headers, value FROM records WHERE id = ?1")?;
    let (mut delivery, headers) = select.query_row([id], |row| delivery_and_headers(log, row))?;
    delivery.headers = headers::decode(&headers).ok_or(Failure::InvalidHeaders {
        topic: log.topic,
        partition: log.partition,
        offset: delivery.offset,
    })?;
    Ok(delivery)
}

fn delivery_and_headers(log: &Log, row: &Row<'_>) -> rusqlite::Result<(Delivery, Vec<u8>)> {
    let delivery = Delivery {
        topic: log.topic,
        partition: log.partition,
        offset: row.get(0)?,
        time: Timestamp(row.get(1)?),
        key: row.get(2)?,
        headers: Vec::new(),
        value: row.get(4)?,
    };
    Ok((delivery, row.get(3)?))
}

/// Returns where a group begins to read: at its positions, and at the oldest record of the
/// partitions that have none.
pub fn start_offsets(connection: &Connection, group: &str, topics: &[Topic]) -> Result<NextOffsets, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT topic, partition, coalesce((SELECT min(offset) FROM records WHERE log = logs.id), next) FROM logs",
    )?;
    let mut next = read_offsets(select.query([])?, topics)?;
    next.extend(positions(connection, group, topics)?);
    Ok(next)
}

/// Returns the positions of a group in the topics.
fn positions(connection: &Connection, group: &str, topics: &[Topic]) -> Result<NextOffsets, Failure> {
    let mut select = connection.prepare_cached("SELECT topic, partition, next FROM positions WHERE reader = ?1")?;
    Ok(read_offsets(select.query([group])?, topics)?)
}

/// Reads rows of topic, partition and offset. Skips other topics.
fn read_offsets(mut rows: Rows<'_>, topics: &[Topic]) -> rusqlite::Result<NextOffsets> {
    let mut next = NextOffsets::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if let Some(topic) = Topic::from_name(&name).filter(|topic| topics.contains(topic)) {
            next.insert((topic, row.get(1)?), row.get(2)?);
        }
    }
    Ok(next)
}

/// Returns the offset after the newest record of each partition of the topic.
pub fn end_offsets(connection: &Connection, topic: Topic) -> Result<BTreeMap<i32, i64>, Failure> {
    let mut select = connection.prepare_cached("SELECT partition, next FROM logs WHERE topic = ?1")?;
    let rows = select.query_map([topic.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
