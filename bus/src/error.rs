//! What goes wrong, and what to do about it.

use std::{io, path::PathBuf, time::Duration};

use schemas::Topic;
use thiserror::Error;

/// Why the bus did not do what it was asked to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BusError {
    /// The data directory is not there and cannot be made, or cannot be entered.
    #[error("cannot open the data directory `{}`", path.display())]
    Directory {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write to `{}`", path.display())]
    NotWritable {
        /// The bus's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// There is no room for the records.
    #[error("no space is left for `{}`", path.display())]
    DiskFull {
        /// The bus's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file is something else.
    #[error("expected an SQLite database in `{}`, found another kind of file", path.display())]
    NotADatabase {
        /// The bus's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The database belongs to another program.
    #[error("expected a bus in `{}` (application id `{expected:#010x}`), found `{found:#010x}`", path.display())]
    Foreign {
        /// The bus's file.
        path: PathBuf,
        /// The application id of a bus.
        expected: i32,
        /// The one that the file has.
        found: i32,
    },
    /// A later release wrote the file.
    #[error("`{}` has schema version {found}, this program knows versions up to {expected}", path.display())]
    SchemaVersion {
        /// The bus's file.
        path: PathBuf,
        /// The latest version that this program knows.
        expected: i32,
        /// The version of the file.
        found: i32,
    },
    /// The file has been damaged.
    #[error("`{}` is damaged", path.display())]
    Damaged {
        /// The bus's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Another process wrote for too long.
    #[error("another process held `{}` locked for more than {waited:?}", path.display())]
    Locked {
        /// The bus's file.
        path: PathBuf,
        /// How long this one waited.
        waited: Duration,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The record is larger than any may be.
    #[error("the record of key `{key}` for `{topic}` has {found} bytes, at most {limit} are allowed")]
    RecordTooLarge {
        /// Where it was to go.
        topic: Topic,
        /// Its key.
        key: String,
        /// Its size in bytes.
        found: usize,
        /// The most that is allowed.
        limit: u64,
    },
    /// The brokers take smaller records only.
    #[error(
        "the brokers refuse the record of key `{key}` for `{topic}`: compressed, its {found} bytes are still too many"
    )]
    RefusedBySize {
        /// Where it was to go.
        topic: Topic,
        /// Its key.
        key: String,
        /// Its size in bytes, before compression.
        found: usize,
    },
    /// The topic has no such partition.
    #[error("expected a partition of `{topic}` from 0 to {}, found {found}", partitions.saturating_sub(1))]
    UnknownPartition {
        /// The topic.
        topic: Topic,
        /// The partition that was asked for.
        found: i32,
        /// How many the topic has.
        partitions: u16,
    },
    /// A record in the file has headers that cannot be read.
    #[error("the headers of `{topic}`, partition {partition}, offset {offset} cannot be read")]
    Headers {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: i64,
    },
    /// Anything else that SQLite said.
    #[error("the bus in `{}` failed", path.display())]
    Storage {
        /// The bus's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The thread that owns the database could not be started.
    #[error("cannot start a thread for the bus")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// The thread that owned the database is gone.
    #[error("the bus has stopped")]
    Stopped,
    /// This program was built without it.
    #[error("`{key}` asks for {what}, and this program was built without it")]
    NotBuilt {
        /// The setting.
        key: &'static str,
        /// What it asks for.
        what: &'static str,
    },
    /// A file that the connection needs cannot be read.
    #[error("cannot read `{}`, which `{key}` names", path.display())]
    Credentials {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The client's settings are not what its library takes.
    #[error("the settings of `bus.kafka` cannot be followed: {why}")]
    Refused {
        /// What the library said.
        why: String,
    },
    /// No broker answers.
    #[error("no Kafka broker answers at `{brokers}`: {why}")]
    Unreachable {
        /// Where they should be.
        brokers: String,
        /// What the library said.
        why: String,
    },
    /// Topics are not there.
    #[error("the brokers at `{brokers}` have no {}", names(topics))]
    TopicsMissing {
        /// Where they should be.
        brokers: String,
        /// Those that are missing.
        topics: Vec<Topic>,
    },
    /// A topic is not made as it must be.
    #[error("expected `{topic}` with {setting} {expected}, found {found}")]
    TopicPolicy {
        /// The topic.
        topic: Topic,
        /// What of it.
        setting: &'static str,
        /// As it must be.
        expected: String,
        /// As it is.
        found: String,
    },
    /// Another member of the group has these partitions now.
    #[error("the partitions of `{group}` were dealt out anew before its positions were published")]
    Superseded {
        /// The group.
        group: String,
    },
    /// Anything else that Kafka said.
    #[error("cannot {doing} on Kafka: {why}")]
    Kafka {
        /// What was tried.
        doing: &'static str,
        /// What the library said.
        why: String,
        /// Whether a later try may succeed.
        is_transient: bool,
    },
}

fn names(topics: &[Topic]) -> String {
    topics.iter().map(|topic| format!("`{topic}`")).collect::<Vec<_>>().join(", ")
}

impl BusError {
    /// `bus.kind = "kafka"` in a build without it.
    #[cfg(not(feature = "kafka"))]
    pub(crate) const WITHOUT_KAFKA: BusError = BusError::NotBuilt { key: "bus.kind", what: "Kafka" };

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            BusError::Directory { .. } => "name a directory that this user may create and write, with `bus.path`",
            BusError::NotWritable { .. } => "let this user write the data directory, or name another with `bus.path`",
            BusError::DiskFull { .. } => "free some space, or lower `bus.max_bytes_per_topic` and `bus.retention`",
            BusError::NotADatabase { .. } | BusError::Foreign { .. } => {
                "name another data directory with `bus.path`, or move the file away"
            }
            BusError::SchemaVersion { .. } => "run the release that wrote the file, or name another data directory",
            BusError::Damaged { .. } => "move the file away: the bus starts anew and the model is learned again",
            BusError::Locked { .. } => "look for a process that is stopped while it has the file open",
            BusError::RecordTooLarge { .. } => "raise `bus.max_record_bytes`, or send less in one record",
            BusError::RefusedBySize { .. } => "raise the topic's `max.message.bytes`, or send less in one record",
            BusError::UnknownPartition { .. } => "give every program the same `bus.partitions`",
            BusError::NotBuilt { what: "Kafka", .. } => {
                "build it with `--features kafka`, or set `bus.kind = \"embedded\"`"
            }
            BusError::NotBuilt { .. } => "build it with `--features tls`, which takes OpenSSL's headers",
            BusError::Credentials { .. } => "let this user read the file, or name another",
            BusError::Refused { .. } => "see `[bus.kafka]` in the manual of all settings",
            BusError::Unreachable { .. } => {
                "see that the broker runs, that `bus.kafka.brokers` names it, and that the address which it advertises can be reached from here"
            }
            BusError::TopicsMissing { .. } => "make them with `detective topics apply`",
            BusError::TopicPolicy { .. } => "see `detective topics check`, and set it with `detective topics apply`",
            BusError::Headers { .. }
            | BusError::Storage { .. }
            | BusError::Thread { .. }
            | BusError::Stopped
            | BusError::Superseded { .. }
            | BusError::Kafka { .. } => return None,
        })
    }

    /// Whether it is the record's size, so that no later try of the same record succeeds.
    pub fn is_too_large(&self) -> bool {
        matches!(self, BusError::RecordTooLarge { .. } | BusError::RefusedBySize { .. })
    }

    /// Whether a later try may succeed though nothing is changed here: for programs that wait for their broker.
    pub fn is_transient(&self) -> bool {
        match self {
            BusError::Unreachable { .. }
            | BusError::TopicsMissing { .. }
            | BusError::TopicPolicy { .. }
            | BusError::DiskFull { .. }
            | BusError::Locked { .. } => true,
            BusError::Kafka { is_transient, .. } => *is_transient,
            _ => false,
        }
    }
}
