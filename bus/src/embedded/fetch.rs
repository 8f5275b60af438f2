//! Records and positions out.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, Transaction, params};
use schemas::{Timestamp, Topic};

use super::{Places, failure::Failure, headers};
use crate::Delivery;

/// A reader holds no more than this at once, unless a single record is larger.
const MAX_BYTES: i64 = 4 << 20;

/// A partition of a topic.
pub struct Log {
    pub id: i64,
    pub topic: Topic,
    pub partition: i32,
}

/// A record, before its large parts are read.
#[derive(Clone, Copy)]
pub struct Outline {
    pub id: i64,
    pub log: i64,
    pub size: i64,
    pub arrived: i64,
}

/// At most `max` records of the topics from `places` on, in the order of their arrival.
pub fn fetch(
    connection: &mut Connection,
    topics: &[Topic],
    places: &Places,
    max: usize,
) -> Result<Vec<Delivery>, Failure> {
    // One look at the file for both steps, or a record could be trimmed away between them.
    let transaction = connection.transaction()?;
    let logs = logs(&transaction, |topic| topics.contains(&topic))?;
    let mut found = Vec::new();
    for log in &logs {
        let from = places.get(&(log.topic, log.partition)).copied().unwrap_or(0);
        found.extend(outlines(&transaction, log.id, from, max.max(1), MAX_BYTES)?);
    }
    found.sort_unstable_by_key(|outline| outline.id);
    found.truncate(max.max(1));
    let mut bytes = 0;
    let mut deliveries = Vec::new();
    for outline in found {
        bytes += outline.size;
        if bytes > MAX_BYTES && !deliveries.is_empty() {
            break;
        }
        if let Some(log) = logs.iter().find(|log| log.id == outline.log) {
            deliveries.push(deliver(&transaction, log, outline.id)?);
        }
    }
    Ok(deliveries)
}

/// The logs of the topics that are `wanted`. Topics of a later release are passed over.
pub fn logs(transaction: &Transaction<'_>, wanted: impl Fn(Topic) -> bool) -> rusqlite::Result<Vec<Log>> {
    let mut select = transaction.prepare_cached("SELECT id, topic, partition FROM logs")?;
    let mut rows = select.query([])?;
    let mut logs = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        if let Some(topic) = Topic::of_name(&name).filter(|topic| wanted(*topic)) {
            logs.push(Log { id: row.get(0)?, topic, partition: row.get(2)? });
        }
    }
    Ok(logs)
}

/// The oldest records of a log from an offset on: at most `max`, and as many as have `bytes` together, or one.
pub fn outlines(
    transaction: &Transaction<'_>,
    log: i64,
    from: i64,
    max: usize,
    bytes: i64,
) -> rusqlite::Result<Vec<Outline>> {
    let mut select = transaction
        .prepare_cached("SELECT id, size, arrived FROM records WHERE log = ?1 AND offset >= ?2 ORDER BY offset")?;
    let mut rows = select.query(params![log, from])?;
    let (mut found, mut total) = (Vec::new(), 0);
    while found.len() < max && total < bytes {
        let Some(row) = rows.next()? else { break };
        let outline = Outline { id: row.get(0)?, log, size: row.get(1)?, arrived: row.get(2)? };
        total += outline.size;
        found.push(outline);
    }
    Ok(found)
}

fn deliver(transaction: &Transaction<'_>, log: &Log, id: i64) -> Result<Delivery, Failure> {
    let mut select =
        transaction.prepare_cached("SELECT offset, time, key, headers, value FROM records WHERE id = ?1")?;
    let (mut delivery, headers) = select.query_row([id], |row| delivery(log, row))?;
    delivery.headers = headers::decode(&headers).ok_or(Failure::Headers {
        topic: log.topic,
        partition: log.partition,
        offset: delivery.offset,
    })?;
    Ok(delivery)
}

fn delivery(log: &Log, row: &Row<'_>) -> rusqlite::Result<(Delivery, Vec<u8>)> {
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

/// Where a group stands in the topics.
pub fn positions(connection: &Connection, group: &str, topics: &[Topic]) -> Result<Places, Failure> {
    let mut select = connection.prepare_cached("SELECT topic, partition, next FROM positions WHERE reader = ?1")?;
    let mut rows = select.query([group])?;
    let mut places = Places::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if let Some(topic) = Topic::of_name(&name).filter(|topic| topics.contains(topic)) {
            places.insert((topic, row.get(1)?), row.get(2)?);
        }
    }
    Ok(places)
}

/// The offset behind the newest record of each partition of the topic.
pub fn ends(connection: &Connection, topic: Topic) -> Result<BTreeMap<i32, i64>, Failure> {
    let mut select = connection.prepare_cached("SELECT partition, next FROM logs WHERE topic = ?1")?;
    let rows = select.query_map([topic.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
