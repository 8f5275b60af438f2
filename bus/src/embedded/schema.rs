//! Opens the file and creates its tables.

use std::{fs::File, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{failure::Failure, permissions};
use crate::BusError;

/// `LDbs`; `file` and SQLite's tools show it.
const APPLICATION_ID: i32 = 0x4c44_6273;
const VERSION: i32 = 1;

// `logs.next` and `logs.bytes` are stored, not computed: offsets must not be used again after a
// deletion, and every trim needs the size of a topic. `records.id` increases in the order of
// arrival, across all logs. `records.kind` is 0 in topics that delete by age; in compacted topics,
// 1 is the newest record of a key and 2 a tombstone. The large columns come last, so that the small
// ones are read without a walk through overflow pages.
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

/// Returns a connection for writing and one for reading. Creates the directory and the file if they
/// do not exist; `file` is its name.
pub fn open(directory: &Path, file: &str, lock_timeout: Duration) -> Result<(Connection, Connection), BusError> {
    let resolved = permissions::open_directory(directory)?;
    let guard =
        File::open(&resolved).map_err(|source| BusError::DataDirectory { path: directory.to_owned(), source })?;
    // SQLite's lock timeout does not apply while a new file is switched to a write-ahead log, so
    // processes that start at the same time open the file one after another. On a filesystem
    // without such locks, one of them may fail.
    let _ = guard.lock();
    let file = &resolved.join(file);
    permissions::restrict_files(file)?;
    let bus_error = |error: rusqlite::Error| Failure::from(error).into_bus_error(file, lock_timeout);
    let mut writer = connect(file, lock_timeout).map_err(bus_error)?;
    check_owner(&writer, file, lock_timeout)?;
    create_tables(&mut writer).map_err(bus_error)?;
    let reader = connect(file, lock_timeout).map_err(bus_error)?;
    Ok((writer, reader))
}

fn connect(file: &Path, lock_timeout: Duration) -> rusqlite::Result<Connection> {
    // Each connection belongs to one thread, so SQLite needs no mutex.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let flags = flags | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(lock_timeout)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // Negative values are KiB: two connections with 2 MiB each bound the memory of the bus.
    connection.pragma_update(None, "cache_size", -2048)?;
    connection.pragma_update(None, "journal_size_limit", 8 << 20)?;
    Ok(connection)
}

fn check_owner(connection: &Connection, file: &Path, lock_timeout: Duration) -> Result<(), BusError> {
    let pragma = |name: &str| -> Result<i32, BusError> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| Failure::from(error).into_bus_error(file, lock_timeout))
    };
    let application = pragma("application_id")?;
    let version = pragma("user_version")?;
    let schema_version = pragma("schema_version")?;
    // An empty file is a new one.
    if schema_version == 0 && application == 0 && version == 0 {
        return Ok(());
    }
    if application != APPLICATION_ID {
        return Err(BusError::ForeignDatabase { path: file.to_owned(), expected: APPLICATION_ID, found: application });
    }
    if version > VERSION {
        return Err(BusError::SchemaVersion { path: file.to_owned(), expected: VERSION, found: version });
    }
    Ok(())
}

fn create_tables(writer: &mut Connection) -> rusqlite::Result<()> {
    // Effective only in an empty file, before its first table.
    writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(TABLES)?;
    }
    // Write even if nothing changes: a file that is not writable fails here, not at the first
    // record.
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
