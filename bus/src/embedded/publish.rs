//! Writes records and positions in one transaction.

use std::collections::{BTreeMap, btree_map::Entry};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use schemas::{Timestamp, Topic, topic::Retention};

use super::{failure::Failure, headers};
use crate::{BusConfig, BusError, Positions, Record};

/// Approximate bytes that a record takes in the file beside its own, so that empty records count
/// too.
const RECORD_OVERHEAD: usize = 64;

/// A checked record with its partition, encoded headers and size in bytes.
pub struct PreparedRecord {
    record: Record,
    partition: i32,
    headers: Vec<u8>,
    size: i64,
}

/// A partition of a topic while records are appended to it: the row of `logs`.
struct Log {
    id: i64,
    next: i64,
    bytes: i64,
}

/// Checks the records against the limits and chooses their partitions. Does no I/O.
pub fn prepare(config: &BusConfig, records: Vec<Record>) -> Result<Vec<PreparedRecord>, BusError> {
    records.into_iter().enumerate().map(|(index, record)| prepare_one(config, index, record)).collect()
}

fn prepare_one(config: &BusConfig, index: usize, record: Record) -> Result<PreparedRecord, BusError> {
    let partition = record.check(index, config.max_record_bytes, config.partitions.max(1))?;
    let found = record.size();
    let headers = headers::encode(&record.headers).ok_or_else(|| BusError::RecordTooLarge {
        index,
        topic: record.topic,
        key: record.key.clone(),
        found,
        limit: config.max_record_bytes,
    })?;
    let size = i64::try_from(found.saturating_add(RECORD_OVERHEAD)).unwrap_or(i64::MAX);
    Ok(PreparedRecord { record, partition, headers, size })
}

/// Writes all records and positions, or nothing. Returns the size of the records in bytes.
pub fn publish(
    connection: &mut Connection,
    records: &[PreparedRecord],
    positions: Option<&Positions>,
    now: Timestamp,
) -> Result<i64, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut logs: BTreeMap<(Topic, i32), Log> = BTreeMap::new();
    for prepared in records {
        let log = match logs.entry((prepared.record.topic, prepared.partition)) {
            Entry::Occupied(log) => log.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(find_or_create_log(&transaction, prepared.record.topic, prepared.partition)?)
            }
        };
        append(&transaction, log, prepared, now)?;
    }
    for log in logs.values() {
        transaction
            .prepare_cached("UPDATE logs SET next = ?2, bytes = ?3 WHERE id = ?1")?
            .execute(params![log.id, log.next, log.bytes])?;
    }
    if let Some(positions) = positions {
        commit_positions(&transaction, positions)?;
    }
    transaction.commit()?;
    Ok(records.iter().map(|prepared| prepared.size).sum())
}

fn find_or_create_log(transaction: &Transaction<'_>, topic: Topic, partition: i32) -> rusqlite::Result<Log> {
    let existing = transaction
        .prepare_cached("SELECT id, next, bytes FROM logs WHERE topic = ?1 AND partition = ?2")?
        .query_row(params![topic.name(), partition], |row| {
            Ok(Log { id: row.get(0)?, next: row.get(1)?, bytes: row.get(2)? })
        })
        .optional()?;
    if let Some(log) = existing {
        return Ok(log);
    }
    transaction
        .prepare_cached("INSERT INTO logs (topic, partition) VALUES (?1, ?2)")?
        .execute(params![topic.name(), partition])?;
    Ok(Log { id: transaction.last_insert_rowid(), next: 0, bytes: 0 })
}

fn append(
    transaction: &Transaction<'_>,
    log: &mut Log,
    prepared: &PreparedRecord,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let record = &prepared.record;
    let kind = match record.topic.retention() {
        Retention::Delete(_) => 0,
        Retention::Compact if record.value.is_empty() => 2,
        Retention::Compact => 1,
    };
    if kind > 0 {
        let replaced: Option<i64> = transaction
            .prepare_cached("DELETE FROM records WHERE log = ?1 AND key = ?2 AND kind > 0 RETURNING size")?
            .query_row(params![log.id, record.key], |row| row.get(0))
            .optional()?;
        log.bytes -= replaced.unwrap_or(0);
    }
    transaction
        .prepare_cached(
            "INSERT INTO records (log, offset, kind, size, arrived, time, key, headers, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            log.id,
            log.next,
            kind,
            prepared.size,
            now.0,
            record.time.0,
            record.key,
            prepared.headers,
            record.value
        ])?;
    log.next += 1;
    log.bytes += prepared.size;
    Ok(())
}

fn commit_positions(transaction: &Transaction<'_>, positions: &Positions) -> rusqlite::Result<()> {
    let mut commit = transaction.prepare_cached(
        "INSERT INTO positions (reader, topic, partition, next) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (reader, topic, partition) DO UPDATE SET next = excluded.next",
    )?;
    for (topic, partition, next) in &positions.next {
        commit.execute(params![positions.group, topic.name(), partition, next])?;
    }
    Ok(())
}
