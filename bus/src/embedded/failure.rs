//! SQLite's errors as errors of the bus.

use std::{path::Path, time::Duration};

use rusqlite::ErrorCode;
use schemas::Topic;

use crate::BusError;

/// A failed operation on the database, without the name of its file.
#[derive(Debug)]
pub enum Failure {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// The headers of a stored record cannot be decoded.
    InvalidHeaders { topic: Topic, partition: i32, offset: i64 },
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sql(error)
    }
}

impl Failure {
    /// Converts the failure to an error that names the file and the timeout of its lock.
    pub fn into_bus_error(self, file: &Path, lock_timeout: Duration) -> BusError {
        let source = match self {
            Failure::InvalidHeaders { topic, partition, offset } => {
                return BusError::InvalidHeaders { topic, partition, offset };
            }
            Failure::Sql(source) => source,
        };
        let path = file.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => BusError::DiskFull { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                BusError::NotWritable { path, source }
            }
            Some(ErrorCode::NotADatabase) => BusError::NotADatabase { path, source },
            Some(ErrorCode::DatabaseCorrupt) => BusError::Corrupt { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                BusError::Locked { path, waited: lock_timeout, source }
            }
            _ => BusError::Storage { path, source },
        }
    }
}
