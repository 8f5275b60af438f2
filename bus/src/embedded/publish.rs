//! Records and positions in: one transaction for all of them.

use std::collections::{BTreeMap, btree_map::Entry};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use schemas::{Timestamp, Topic, topic::Retention};

use super::{failure::Failure, headers};
use crate::{BusConfig, BusError, Positions, Record};

/// What a record costs in the file beside its own bytes, roughly: so that empty ones do not count for nothing.
const OVERHEAD: usize = 64;

/// A record that may be written.
pub struct Prepared {
    record: Record,
    partition: i32,
    headers: Vec<u8>,
    size: i64,
}

/// A partition of a topic, while records are added to it.
struct Log {
    id: i64,
    next: i64,
    bytes: i64,
}

/// The records with their partitions, if each is within the limits. No I/O.
pub fn prepare(config: &BusConfig, records: Vec<Record>) -> Result<Vec<Prepared>, BusError> {
    records.into_iter().map(|record| prepare_one(config, record)).collect()
}

fn prepare_one(config: &BusConfig, record: Record) -> Result<Prepared, BusError> {
    let partition = record.check(config.max_record_bytes, config.partitions.max(1))?;
    let found = record.size();
    let headers = headers::encode(&record.headers).ok_or_else(|| BusError::RecordTooLarge {
        topic: record.topic,
        key: record.key.clone(),
        found,
        limit: config.max_record_bytes,
    })?;
    let size = i64::try_from(found.saturating_add(OVERHEAD)).unwrap_or(i64::MAX);
    Ok(Prepared { record, partition, headers, size })
}

/// Writes all of it or nothing, and returns how many bytes that was.
pub fn publish(
    connection: &mut Connection,
    records: &[Prepared],
    positions: Option<&Positions>,
    now: Timestamp,
) -> Result<i64, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut logs: BTreeMap<(Topic, i32), Log> = BTreeMap::new();
    for prepared in records {
        let log = match logs.entry((prepared.record.topic, prepared.partition)) {
            Entry::Occupied(log) => log.into_mut(),
            Entry::Vacant(place) => place.insert(find_log(&transaction, prepared.record.topic, prepared.partition)?),
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

fn find_log(transaction: &Transaction<'_>, topic: Topic, partition: i32) -> rusqlite::Result<Log> {
    let known = transaction
        .prepare_cached("SELECT id, next, bytes FROM logs WHERE topic = ?1 AND partition = ?2")?
        .query_row(params![topic.name(), partition], |row| {
            Ok(Log { id: row.get(0)?, next: row.get(1)?, bytes: row.get(2)? })
        })
        .optional()?;
    if let Some(log) = known {
        return Ok(log);
    }
    transaction
        .prepare_cached("INSERT INTO logs (topic, partition) VALUES (?1, ?2)")?
        .execute(params![topic.name(), partition])?;
    Ok(Log { id: transaction.last_insert_rowid(), next: 0, bytes: 0 })
}

fn append(transaction: &Transaction<'_>, log: &mut Log, prepared: &Prepared, now: Timestamp) -> rusqlite::Result<()> {
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
