//! Kafka's errors as errors of the bus.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::broker_status::BrokerStatus;
use crate::BusError;

/// Converts the error of an operation, given as a verb phrase.
pub fn bus_error(operation: &'static str, error: &KafkaError, brokers: &BrokerStatus) -> BusError {
    let code = error.rdkafka_error_code();
    match code {
        Some(
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::Resolve
            | Code::NoEnt
            | Code::BrokerDestroy,
        ) => brokers.unreachable(error),
        _ => {
            let is_transient = !code.is_some_and(is_permanent);
            BusError::Kafka { operation, reason: error.to_string(), is_transient }
        }
    }
}

/// Whether the error lasts until an operator changes something.
fn is_permanent(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::UnsupportedVersion
            | Code::SecurityDisabled
            | Code::PolicyViolation
            | Code::InvalidConfig
            | Code::Authentication
            | Code::SSL
    )
}

/// Whether the group rebalanced without this member.
pub fn is_superseded(code: Option<Code>) -> bool {
    matches!(
        code,
        Some(Code::IllegalGeneration | Code::UnknownMemberId | Code::FencedInstanceId | Code::RebalanceInProgress)
    )
}

/// Whether a consumer recovers from the error by itself.
pub fn is_recoverable(error: &KafkaError) -> bool {
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return false;
    }
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::PollExceeded
                | Code::NotCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::OffsetNotAvailable
                | Code::KafkaStorageError
        )
    )
}
