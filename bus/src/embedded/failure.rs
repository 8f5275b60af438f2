//! What SQLite says, as the bus says it.

use std::{path::Path, time::Duration};

use rusqlite::ErrorCode;
use schemas::Topic;

use crate::BusError;

/// What went wrong in the file, by those who do not know its name.
#[derive(Debug)]
pub enum Failure {
    /// SQLite said so.
    Sql(rusqlite::Error),
    /// A record's headers are no headers.
    Headers { topic: Topic, partition: i32, offset: i64 },
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sql(error)
    }
}

impl Failure {
    /// The error that names the file, and how long was waited for a lock on it.
    pub fn at(self, file: &Path, waited: Duration) -> BusError {
        let source = match self {
            Failure::Headers { topic, partition, offset } => return BusError::Headers { topic, partition, offset },
            Failure::Sql(source) => source,
        };
        let path = file.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => BusError::DiskFull { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                BusError::NotWritable { path, source }
            }
            Some(ErrorCode::NotADatabase) => BusError::NotADatabase { path, source },
            Some(ErrorCode::DatabaseCorrupt) => BusError::Damaged { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BusError::Locked { path, waited, source },
            _ => BusError::Storage { path, source },
        }
    }
}
