//! What an error means for the operation that failed.

use super::BusError;

/// How to continue after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// A later attempt can succeed without a change on this side: retry.
    Transient,
    /// The bus will never accept one of the records, and accepts the others: replace that record,
    /// see [`replace_rejected`](crate::replace_rejected).
    Rejected,
    /// The partitions were reassigned to another member of the group: discard what was derived
    /// from their records, and continue reading.
    Superseded,
    /// No later attempt of this process can succeed: end the program with the error.
    Fatal,
}

impl BusError {
    /// The class of the error.
    pub fn class(&self) -> ErrorClass {
        match self {
            BusError::Unreachable { .. }
            | BusError::TopicsMissing { .. }
            | BusError::TopicSetting { .. }
            | BusError::DiskFull { .. }
            | BusError::Locked { .. }
            | BusError::Kafka { is_transient: true, .. } => ErrorClass::Transient,
            BusError::RecordTooLarge { .. }
            | BusError::RejectedBySize { .. }
            | BusError::RejectedByBroker { .. }
            | BusError::UnknownPartition { .. } => ErrorClass::Rejected,
            BusError::Superseded { .. } => ErrorClass::Superseded,
            BusError::DataDirectory { .. }
            | BusError::Untrusted { .. }
            | BusError::NotWritable { .. }
            | BusError::NotADatabase { .. }
            | BusError::ForeignDatabase { .. }
            | BusError::SchemaVersion { .. }
            | BusError::Corrupt { .. }
            | BusError::InvalidHeaders { .. }
            | BusError::Storage { .. }
            | BusError::Thread { .. }
            | BusError::Stopped
            | BusError::FeatureDisabled { .. }
            | BusError::Credentials { .. }
            | BusError::InvalidClient { .. }
            | BusError::Kafka { is_transient: false, .. } => ErrorClass::Fatal,
        }
    }

    /// Whether a later attempt can succeed without a change on this side.
    pub fn is_transient(&self) -> bool {
        self.class() == ErrorClass::Transient
    }

    /// Index, in its publication, of the record that the bus rejected; `None` if the error has
    /// another class than [`ErrorClass::Rejected`].
    pub fn rejected_record(&self) -> Option<usize> {
        match self {
            BusError::RecordTooLarge { index, .. }
            | BusError::RejectedBySize { index, .. }
            | BusError::RejectedByBroker { index, .. }
            | BusError::UnknownPartition { index, .. } => Some(*index),
            _ => None,
        }
    }
}
