//! How the file is opened, and its tables.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failure::Failure;
use crate::BusError;

/// `LDbs`, which `file` and SQLite's tools show.
const APPLICATION_ID: i32 = 0x4c44_6273;
const VERSION: i32 = 1;

// `next` and `bytes` are kept rather than computed: offsets must not come back after deletion, and the size of a topic
// is asked for with every trim. `records.id` grows in the order of arrival, across all logs. `kind` is 0 in topics
// that delete by age, 1 for the newest record of a key in a compacted one, and 2 for a tombstone there.
// The large columns come last, so that the small ones are read without following a chain of overflow pages.
const TABLES: &str = "
    CREATE TABLE logs (
        id INTEGER PRIMARY KEY,
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        next INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        UNIQUE (topic, partition)
    ) STRICT;
    CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        log INTEGER NOT NULL REFERENCES logs (id),
        offset INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        size INTEGER NOT NULL,
        arrived INTEGER NOT NULL,
        time INTEGER NOT NULL,
        key TEXT NOT NULL,
        headers BLOB NOT NULL,
        value BLOB NOT NULL,
        UNIQUE (log, offset)
    ) STRICT;
    CREATE UNIQUE INDEX newest ON records (log, key) WHERE kind > 0;
    CREATE INDEX tombstones ON records (arrived) WHERE kind = 2;
    CREATE TABLE positions (
        reader TEXT NOT NULL,
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        next INTEGER NOT NULL,
        PRIMARY KEY (reader, topic, partition)
    ) STRICT, WITHOUT ROWID;
";

/// A connection to write with and one to read with; creates the directory and the file where they do not exist.
pub fn open(directory: &Path, file: &Path, lock_timeout: Duration) -> Result<(Connection, Connection), BusError> {
    let unusable = |source: io::Error| BusError::Directory { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
    let opening = File::open(directory).map_err(unusable)?;
    // SQLite does not wait for others while it turns a new file into one with a write-ahead log, so processes that
    // start together take turns. A filesystem without such locks only loses that.
    let _ = opening.lock();
    let at = |failure: Failure| failure.at(file, lock_timeout);
    let mut writer = connect(file, lock_timeout).map_err(|error| at(error.into()))?;
    check_owner(&writer, file, lock_timeout)?;
    create(&mut writer).map_err(|error| at(error.into()))?;
    let reader = connect(file, lock_timeout).map_err(|error| at(error.into()))?;
    Ok((writer, reader))
}

fn connect(file: &Path, lock_timeout: Duration) -> rusqlite::Result<Connection> {
    // A connection stays with one thread, so SQLite need not lock it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(lock_timeout)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // In KiB when negative: two connections of 2 MiB are all that the bus keeps in memory.
    connection.pragma_update(None, "cache_size", -2048)?;
    connection.pragma_update(None, "journal_size_limit", 8 << 20)?;
    Ok(connection)
}

fn check_owner(connection: &Connection, file: &Path, lock_timeout: Duration) -> Result<(), BusError> {
    let number = |name: &str| -> Result<i32, BusError> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| Failure::from(error).at(file, lock_timeout))
    };
    let (application, version, tables) =
        (number("application_id")?, number("user_version")?, number("schema_version")?);
    // An empty file is a new one.
    if tables == 0 && application == 0 && version == 0 {
        return Ok(());
    }
    if application != APPLICATION_ID {
        return Err(BusError::Foreign { path: file.to_owned(), expected: APPLICATION_ID, found: application });
    }
    if version > VERSION {
        return Err(BusError::SchemaVersion { path: file.to_owned(), expected: VERSION, found: version });
    }
    Ok(())
}

fn create(writer: &mut Connection) -> rusqlite::Result<()> {
    // Has an effect on an empty file alone, and only before its first table.
    writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(TABLES)?;
    }
    // Writing what is there already finds out now, not at the first record, that the file cannot be written.
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
