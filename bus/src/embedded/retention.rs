//! Deletes old records by age and by size, in small batches between publications.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use schemas::{Timestamp, Topic, topic::Retention};
use tracing::warn;

use super::{
    failure::Failure,
    fetch::{self, Log, RecordInfo},
};
use crate::BusConfig;

/// Time between two trims if few bytes were published.
const INTERVAL: Duration = Duration::from_secs(30);
/// Records of a topic that one transaction deletes at most. Other writers wait meanwhile.
const BATCH_RECORDS: usize = 256;
/// Bytes of a partition that one transaction deletes, approximately.
const BATCH_BYTES: i64 = 4 << 20;
/// Transactions per topic in one trim; the next trim continues.
const BATCHES: usize = 8;
/// Retention of tombstones: time for every reader to read them.
const TOMBSTONE_RETENTION: Duration = Duration::from_secs(24 * 3600);
/// The file shrinks when at least one page in this many is free. Fewer free pages are left for new
/// records.
const FREE_PAGE_RATIO: i64 = 2;
/// The file shrinks when at least this many pages are free, and by this many pages at a time.
const MIN_FREE_PAGES: i64 = 2048;

/// Decides when to trim.
#[derive(Default)]
pub struct Trimmer {
    /// Bytes published since the last complete trim.
    bytes: i64,
    trimmed_at: Option<Timestamp>,
}

impl Trimmer {
    /// Counts the bytes of a publication.
    pub fn add_published(&mut self, bytes: i64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Deletes records beyond the limits of age and size, if a trim is due. A failure is only
    /// logged, because the published records are safe.
    pub fn trim_if_due(&mut self, connection: &mut Connection, config: &BusConfig, now: Timestamp) {
        // A topic exceeds its size limit by a sixteenth at most.
        let enough = i64::try_from(config.max_bytes_per_topic / 16).unwrap_or(i64::MAX);
        let interval = i64::try_from(INTERVAL.as_millis()).unwrap_or(i64::MAX);
        // A clock that was set back makes a trim due too.
        let is_due = self.trimmed_at.is_none_or(|trimmed_at| !(0..interval).contains(&now.millis_since(trimmed_at)));
        if self.bytes < enough && !is_due {
            return;
        }
        match trim(connection, config, now) {
            Ok(Remaining::Nothing) => *self = Trimmer { bytes: 0, trimmed_at: Some(now) },
            Ok(Remaining::More) => {}
            Err(failure) => {
                let error = failure.into_bus_error(&config.path, config.lock_timeout);
                warn!(error = &error as &dyn std::error::Error, "cannot delete old records");
                *self = Trimmer { bytes: 0, trimmed_at: Some(now) };
            }
        }
    }
}

/// Whether records beyond the limits remain after a trim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remaining {
    Nothing,
    More,
}

fn trim(connection: &mut Connection, config: &BusConfig, now: Timestamp) -> Result<Remaining, Failure> {
    let mut remaining = Remaining::Nothing;
    for topic in Topic::ALL {
        let Retention::Delete(age) = config.retention.for_topic(topic) else { continue };
        let limits = Limits {
            arrived_before: before(now, age),
            bytes: i64::try_from(config.max_bytes_per_topic).unwrap_or(i64::MAX),
        };
        let mut remaining_of_topic = Remaining::More;
        for _ in 0..BATCHES {
            remaining_of_topic = trim_batch(connection, topic, &limits)?;
            if remaining_of_topic == Remaining::Nothing {
                break;
            }
        }
        if remaining_of_topic == Remaining::More {
            remaining = Remaining::More;
        }
    }
    delete_tombstones(connection, before(now, TOMBSTONE_RETENTION))?;
    shrink_file(connection)?;
    Ok(remaining)
}

fn before(now: Timestamp, age: Duration) -> i64 {
    now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

struct Limits {
    arrived_before: i64,
    bytes: i64,
}

fn trim_batch(connection: &mut Connection, topic: Topic, limits: &Limits) -> Result<Remaining, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let logs = fetch::logs(&transaction, |candidate| candidate == topic)?;
    let total: i64 = transaction
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM logs WHERE topic = ?1")?
        .query_row([topic.name()], |row| row.get(0))?;
    let oldest = oldest(&transaction, &logs)?;
    let expired = expired(&oldest, total, limits);
    for record in expired {
        transaction.prepare_cached("DELETE FROM records WHERE id = ?1")?.execute([record.id])?;
        transaction
            .prepare_cached("UPDATE logs SET bytes = bytes - ?2 WHERE id = ?1")?
            .execute(params![record.log, record.size])?;
    }
    // If the whole batch was deleted, the next batch may have to be, too.
    let remaining =
        if expired.is_empty() || expired.len() < oldest.len() { Remaining::Nothing } else { Remaining::More };
    transaction.commit()?;
    Ok(remaining)
}

fn oldest(transaction: &rusqlite::Transaction<'_>, logs: &[Log]) -> rusqlite::Result<Vec<RecordInfo>> {
    let mut oldest = Vec::new();
    for log in logs {
        oldest.extend(fetch::record_infos(transaction, log.id, 0, BATCH_RECORDS, BATCH_BYTES)?);
    }
    oldest.sort_unstable_by_key(|record| record.id);
    oldest.truncate(BATCH_RECORDS);
    Ok(oldest)
}

/// The records at the start of `oldest` that are too old, or that make the topic, which holds
/// `total` bytes, too large.
fn expired<'a>(oldest: &'a [RecordInfo], mut total: i64, limits: &Limits) -> &'a [RecordInfo] {
    let mut count = 0;
    for record in oldest {
        if record.arrived >= limits.arrived_before && total <= limits.bytes {
            break;
        }
        total -= record.size;
        count += 1;
    }
    &oldest[..count]
}

fn delete_tombstones(connection: &mut Connection, arrived_before: i64) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached(
            "UPDATE logs SET bytes = logs.bytes - gone.bytes
             FROM (SELECT log, sum(size) AS bytes FROM records WHERE kind = 2 AND arrived < ?1 GROUP BY log) AS gone
             WHERE logs.id = gone.log",
        )?
        .execute([arrived_before])?;
    transaction.prepare_cached("DELETE FROM records WHERE kind = 2 AND arrived < ?1")?.execute([arrived_before])?;
    Ok(transaction.commit()?)
}

/// Returns free pages to the filesystem, if the file has many of them.
fn shrink_file(connection: &Connection) -> Result<(), Failure> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")?;
    let free = pragma("freelist_count")?;
    if free < MIN_FREE_PAGES || free < pages / FREE_PAGE_RATIO {
        return Ok(());
    }
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({MIN_FREE_PAGES})"))?;
    let mut steps = vacuum.query([])?;
    // Each row frees a page.
    while steps.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(arrived_and_size: &[(i64, i64)]) -> Vec<RecordInfo> {
        let record =
            |(id, (arrived, size)): (i64, &(i64, i64))| RecordInfo { id, log: 1, size: *size, arrived: *arrived };
        (0..).zip(arrived_and_size).map(record).collect()
    }

    #[track_caller]
    fn check(oldest: &[(i64, i64)], total: i64, limits: &Limits, expected: usize) {
        assert_eq!(expired(&records(oldest), total, limits).len(), expected);
    }

    #[test]
    fn old_records_expire_up_to_the_first_recent_one() {
        check(&[(1, 10), (2, 10), (9, 10)], 30, &Limits { arrived_before: 5, bytes: 100 }, 2);
        check(&[(9, 10), (1, 10)], 20, &Limits { arrived_before: 5, bytes: 100 }, 0);
    }

    #[test]
    fn the_oldest_records_expire_until_the_topic_is_within_its_size_limit() {
        check(&[(9, 10), (9, 10), (9, 10)], 45, &Limits { arrived_before: 5, bytes: 30 }, 2);
        check(&[(9, 10), (9, 10), (9, 10)], 30, &Limits { arrived_before: 5, bytes: 30 }, 0);
    }

    #[test]
    fn nothing_expires_in_an_empty_topic() {
        check(&[], 0, &Limits { arrived_before: 5, bytes: 0 }, 0);
    }
}
