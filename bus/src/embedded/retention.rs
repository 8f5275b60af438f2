//! What is forgotten, when: by age and by size, a little at a time, between publications.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use schemas::{Timestamp, Topic, topic::Retention};
use tracing::warn;

use super::{
    failure::Failure,
    fetch::{self, Log, Outline},
};
use crate::BusConfig;

/// Age alone is a reason to look as often as this.
const EVERY: Duration = Duration::from_secs(30);
/// One transaction forgets at most this many records of a topic, and about as many bytes: others wait meanwhile.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: i64 = 4 << 20;
/// One trim takes at most this many transactions of a topic; what is left is for the next.
const BATCHES: usize = 8;
/// A tombstone stays so long that every reader has seen it.
const TOMBSTONES_STAY: Duration = Duration::from_secs(24 * 3600);
/// The file shrinks once this share of its pages is free; fewer are for the records to come.
const FREE_SHARE: i64 = 2;
const FREE_PAGES: i64 = 2048;

/// Knows when it is time to forget.
#[derive(Default)]
pub struct Trimmer {
    /// Since the last trim.
    bytes: i64,
    trimmed: Option<Timestamp>,
}

impl Trimmer {
    /// Takes note of a publication.
    pub fn appended(&mut self, bytes: i64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Forgets what is too old or too much, if it is time. A failure is for the log: the records that came are safe.
    pub fn trim(&mut self, connection: &mut Connection, config: &BusConfig, now: Timestamp) {
        // Often enough that a topic is at most a sixteenth beyond its limit.
        let enough = i64::try_from(config.max_bytes_per_topic / 16).unwrap_or(i64::MAX);
        let every = i64::try_from(EVERY.as_millis()).unwrap_or(i64::MAX);
        // A clock that went back is as good a reason as one that went on.
        let due = self.trimmed.is_none_or(|trimmed| !(0..every).contains(&now.millis_since(trimmed)));
        if self.bytes < enough && !due {
            return;
        }
        match trim(connection, config, now) {
            Ok(Left::Nothing) => *self = Trimmer { bytes: 0, trimmed: Some(now) },
            Ok(Left::More) => {}
            Err(failure) => {
                let error = failure.at(&config.path, config.lock_timeout);
                warn!(error = &error as &dyn std::error::Error, "old records cannot be removed");
                *self = Trimmer { bytes: 0, trimmed: Some(now) };
            }
        }
    }
}

/// Whether a trim got to the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    More,
}

fn trim(connection: &mut Connection, config: &BusConfig, now: Timestamp) -> Result<Left, Failure> {
    let mut left = Left::Nothing;
    for topic in Topic::ALL {
        let Retention::Delete(age) = config.retention.of(topic) else { continue };
        let limit = Limit {
            arrived_before: before(now, age),
            bytes: i64::try_from(config.max_bytes_per_topic).unwrap_or(i64::MAX),
        };
        let mut of_topic = Left::More;
        for _ in 0..BATCHES {
            of_topic = trim_batch(connection, topic, &limit)?;
            if of_topic == Left::Nothing {
                break;
            }
        }
        if of_topic == Left::More {
            left = Left::More;
        }
    }
    bury_tombstones(connection, before(now, TOMBSTONES_STAY))?;
    shrink(connection)?;
    Ok(left)
}

fn before(now: Timestamp, age: Duration) -> i64 {
    now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

struct Limit {
    arrived_before: i64,
    bytes: i64,
}

fn trim_batch(connection: &mut Connection, topic: Topic, limit: &Limit) -> Result<Left, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let logs = fetch::logs(&transaction, |candidate| candidate == topic)?;
    let total: i64 = transaction
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM logs WHERE topic = ?1")?
        .query_row([topic.name()], |row| row.get(0))?;
    let oldest = oldest(&transaction, &logs)?;
    let doomed = doomed(&oldest, total, limit);
    for outline in doomed {
        transaction.prepare_cached("DELETE FROM records WHERE id = ?1")?.execute([outline.id])?;
        transaction
            .prepare_cached("UPDATE logs SET bytes = bytes - ?2 WHERE id = ?1")?
            .execute(params![outline.log, outline.size])?;
    }
    // When all that was looked at had to go, there may be more of that kind.
    let left = if doomed.is_empty() || doomed.len() < oldest.len() { Left::Nothing } else { Left::More };
    transaction.commit()?;
    Ok(left)
}

fn oldest(transaction: &rusqlite::Transaction<'_>, logs: &[Log]) -> rusqlite::Result<Vec<Outline>> {
    let mut oldest = Vec::new();
    for log in logs {
        oldest.extend(fetch::outlines(transaction, log.id, 0, BATCH_RECORDS, BATCH_BYTES)?);
    }
    oldest.sort_unstable_by_key(|outline| outline.id);
    oldest.truncate(BATCH_RECORDS);
    Ok(oldest)
}

/// The first of `oldest` that have to go: they are too old, or the topic is too large with them.
fn doomed<'a>(oldest: &'a [Outline], mut total: i64, limit: &Limit) -> &'a [Outline] {
    let mut count = 0;
    for outline in oldest {
        if outline.arrived >= limit.arrived_before && total <= limit.bytes {
            break;
        }
        total -= outline.size;
        count += 1;
    }
    &oldest[..count]
}

fn bury_tombstones(connection: &mut Connection, arrived_before: i64) -> Result<(), Failure> {
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

/// Gives pages back to the filesystem, where the file has far more of them than it needs.
fn shrink(connection: &Connection) -> Result<(), Failure> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (pages, free) = (number("page_count")?, number("freelist_count")?);
    if free < FREE_PAGES || free < pages / FREE_SHARE {
        return Ok(());
    }
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({FREE_PAGES})"))?;
    let mut steps = vacuum.query([])?;
    // Each step frees a page.
    while steps.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlines(arrived_and_size: &[(i64, i64)]) -> Vec<Outline> {
        let outline =
            |(id, (arrived, size)): (i64, &(i64, i64))| Outline { id, log: 1, size: *size, arrived: *arrived };
        (0..).zip(arrived_and_size).map(outline).collect()
    }

    #[track_caller]
    fn check(oldest: &[(i64, i64)], total: i64, limit: &Limit, expected: usize) {
        assert_eq!(doomed(&outlines(oldest), total, limit).len(), expected);
    }

    #[test]
    fn the_old_go_and_the_first_young_one_stops_it() {
        check(&[(1, 10), (2, 10), (9, 10)], 30, &Limit { arrived_before: 5, bytes: 100 }, 2);
        check(&[(9, 10), (1, 10)], 20, &Limit { arrived_before: 5, bytes: 100 }, 0);
    }

    #[test]
    fn as_many_go_as_are_too_much() {
        check(&[(9, 10), (9, 10), (9, 10)], 45, &Limit { arrived_before: 5, bytes: 30 }, 2);
        check(&[(9, 10), (9, 10), (9, 10)], 30, &Limit { arrived_before: 5, bytes: 30 }, 0);
    }

    #[test]
    fn nothing_is_left_to_go_in_an_empty_topic() {
        check(&[], 0, &Limit { arrived_before: 5, bytes: 0 }, 0);
    }
}
