//! What Kafka says, as the bus says it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::client::Brokers;
use crate::BusError;

/// Why something could not be done.
pub fn failed(doing: &'static str, error: &KafkaError, brokers: &Brokers) -> BusError {
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
        _ => BusError::Kafka { doing, why: error.to_string(), is_transient: !code.is_some_and(is_lasting) },
    }
}

/// Whether only a person can change it.
fn is_lasting(code: Code) -> bool {
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
            | Code::InvalidTimestamp
            | Code::InvalidConfig
            | Code::Authentication
            | Code::SSL
    )
}

/// Whether the group went on without this member.
pub fn is_superseded(code: Option<Code>) -> bool {
    matches!(
        code,
        Some(Code::IllegalGeneration | Code::UnknownMemberId | Code::FencedInstanceId | Code::RebalanceInProgress)
    )
}
