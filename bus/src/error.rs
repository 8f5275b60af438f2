//! Errors, their classes, and hints what to do.

mod class;

use std::{io, path::PathBuf, time::Duration};

use schemas::Topic;
use thiserror::Error;

pub use class::ErrorClass;

/// Why an operation of the bus failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BusError {
    /// The data directory cannot be created or opened.
    #[error("cannot open the data directory `{}`", path.display())]
    DataDirectory {
        /// The data directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Other users could read or replace the data.
    #[error("`{}` {problem}", path.display())]
    Untrusted {
        /// The data directory, or a file in it.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The database file is not writable.
    #[error("cannot write to `{}`", path.display())]
    NotWritable {
        /// The database file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The filesystem is full.
    #[error("no space left to write `{}`", path.display())]
    DiskFull {
        /// The database file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The file is not an SQLite database.
    #[error("expected an SQLite database in `{}`, found another kind of file", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The database belongs to another application.
    #[error("expected a bus in `{}` (application id `{expected:#010x}`), found `{found:#010x}`", path.display())]
    ForeignDatabase {
        /// The database file.
        path: PathBuf,
        /// The application id of a bus.
        expected: i32,
        /// The application id of the file.
        found: i32,
    },
    /// A later release created the file.
    #[error("expected schema version {expected} or earlier in `{}`, found {found}", path.display())]
    SchemaVersion {
        /// The database file.
        path: PathBuf,
        /// The latest version that this program supports.
        expected: i32,
        /// The version of the file.
        found: i32,
    },
    /// The database file is corrupt.
    #[error("`{}` is corrupt", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// Another process held the write lock for too long.
    #[error("another process held `{}` locked for more than {waited:?}", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
        /// The timeout.
        waited: Duration,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The record is larger than `bus.max_record_bytes`.
    #[error("expected at most {limit} bytes in the record of key `{key}` for `{topic}`, found {found}")]
    RecordTooLarge {
        /// Index of the record in its publication.
        index: usize,
        /// The topic of the record.
        topic: Topic,
        /// The key of the record.
        key: String,
        /// Its size in bytes.
        found: usize,
        /// The size limit in bytes.
        limit: u64,
    },
    /// The brokers have a smaller size limit.
    #[error(
        "the brokers rejected the record of key `{key}` for `{topic}`: its {found} bytes are too many, even compressed"
    )]
    RejectedBySize {
        /// Index of the record in its publication.
        index: usize,
        /// The topic of the record.
        topic: Topic,
        /// The key of the record.
        key: String,
        /// Its size in bytes, before compression.
        found: usize,
    },
    /// The brokers reject the record for another reason than its size.
    #[error("the brokers rejected the record of key `{key}` for `{topic}`: {reason}")]
    RejectedByBroker {
        /// Index of the record in its publication.
        index: usize,
        /// The topic of the record.
        topic: Topic,
        /// The key of the record.
        key: String,
        /// The message of the library.
        reason: String,
    },
    /// The topic does not have the partition.
    #[error("expected a partition of `{topic}` from 0 to {}, found {found}", partitions.saturating_sub(1))]
    UnknownPartition {
        /// Index of the record in its publication.
        index: usize,
        /// The topic.
        topic: Topic,
        /// The requested partition.
        found: i32,
        /// The number of partitions that the topic has.
        partitions: u16,
    },
    /// The headers of a stored record cannot be decoded.
    #[error("cannot decode the headers of `{topic}`, partition {partition}, offset {offset}")]
    InvalidHeaders {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: i32,
        /// The offset of the record.
        offset: i64,
    },
    /// SQLite failed in another way.
    #[error("the bus in `{}` failed", path.display())]
    Storage {
        /// The database file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// A thread of the bus cannot be started.
    #[error("cannot start a thread for the bus")]
    Thread {
        /// The cause.
        source: io::Error,
    },
    /// A thread of the bus has ended.
    #[error("the bus has stopped")]
    Stopped,
    /// The program was built without a feature.
    #[error("`{key}` requires {feature}, which this program was built without")]
    FeatureDisabled {
        /// The setting that requires the feature.
        key: &'static str,
        /// The feature.
        feature: &'static str,
    },
    /// A file with credentials cannot be read.
    #[error("cannot read `{}`, the value of `{key}`", path.display())]
    Credentials {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The Kafka library rejects the settings.
    #[error("the Kafka client rejects its settings: {reason}")]
    InvalidClient {
        /// The message of the library.
        reason: String,
    },
    /// No broker responds.
    #[error("no Kafka broker responds at `{brokers}`: {reason}")]
    Unreachable {
        /// The addresses of the brokers.
        brokers: String,
        /// The message of the library.
        reason: String,
    },
    /// Topics do not exist.
    #[error("the brokers at `{brokers}` have no {}", join_names(topics))]
    TopicsMissing {
        /// The addresses of the brokers.
        brokers: String,
        /// The missing topics.
        topics: Vec<Topic>,
    },
    /// A setting of a topic is wrong.
    #[error("expected `{topic}` with {setting} {expected}, found {found}")]
    TopicSetting {
        /// The topic.
        topic: Topic,
        /// The name of the setting.
        setting: &'static str,
        /// The required value.
        expected: String,
        /// The current value.
        found: String,
    },
    /// A rebalance gave the partitions to another member of the group.
    #[error("the partitions of `{group}` were reassigned before its positions were published")]
    Superseded {
        /// The group.
        group: String,
    },
    /// Kafka failed in another way.
    #[error("cannot {operation} on Kafka: {reason}")]
    Kafka {
        /// The operation, a verb phrase.
        operation: &'static str,
        /// The message of the library.
        reason: String,
        /// Whether a later attempt can succeed.
        is_transient: bool,
    },
}

fn join_names(topics: &[Topic]) -> String {
    topics.iter().map(|topic| format!("`{topic}`")).collect::<Vec<_>>().join(", ")
}

impl BusError {
    /// `bus.kind = "kafka"` in a build without Kafka.
    #[cfg(not(feature = "kafka"))]
    pub(crate) const WITHOUT_KAFKA: BusError = BusError::FeatureDisabled { key: "bus.kind", feature: "Kafka" };

    /// What the user can do about the error.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            BusError::DataDirectory { .. } => "set `bus.path` to a directory that this user can create and write",
            BusError::Untrusted { .. } => {
                "run this as the owner of the data, or set `bus.path` to a directory that other users cannot write to"
            }
            BusError::NotWritable { .. } => "make the data directory writable, or set `bus.path` to another one",
            BusError::DiskFull { .. } => "free some space, or lower `bus.max_bytes_per_topic` and `bus.retention`",
            BusError::NotADatabase { .. } | BusError::ForeignDatabase { .. } => {
                "set `bus.path` to another data directory, or move the file away"
            }
            BusError::SchemaVersion { .. } => {
                "run the release that created the file, or set `bus.path` to another data directory"
            }
            BusError::Corrupt { .. } | BusError::InvalidHeaders { .. } => {
                "move the file away: a new bus is created and the model is trained again"
            }
            BusError::Locked { .. } => "look for a suspended process that has the file open",
            BusError::RecordTooLarge { .. } => "raise `bus.max_record_bytes`, or publish smaller records",
            BusError::RejectedBySize { .. } => "raise the topic's `max.message.bytes`, or publish smaller records",
            BusError::UnknownPartition { .. } => "set `bus.partitions` to the same value for every program",
            BusError::FeatureDisabled { feature: "Kafka", .. } => {
                "build with `--features kafka`, or set `bus.kind = \"embedded\"`"
            }
            BusError::FeatureDisabled { .. } => "build with `--features tls`, which requires the headers of OpenSSL",
            BusError::Credentials { .. } => "make the file readable for this user, or name another",
            BusError::InvalidClient { .. } => "check `[bus.kafka]`; docs/configuration.md describes it",
            BusError::Unreachable { .. } => {
                "check that the broker runs, that `bus.kafka.brokers` is correct, and that the broker's advertised address is reachable from here"
            }
            BusError::TopicsMissing { .. } => "create the topics with `detective topics apply`",
            BusError::TopicSetting { .. } => {
                "run `detective topics check`, and correct it with `detective topics apply`"
            }
            BusError::RejectedByBroker { .. }
            | BusError::Storage { .. }
            | BusError::Thread { .. }
            | BusError::Stopped
            | BusError::Superseded { .. }
            | BusError::Kafka { .. } => return None,
        })
    }
}
