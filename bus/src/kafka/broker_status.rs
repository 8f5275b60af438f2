//! Whether the brokers respond, as all clients of a bus observe it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::BusError;

/// An error within this time after a response is ignored: one client may report late what another
/// has already recovered from.
const LATE_ERROR: Duration = Duration::from_secs(5);

/// The status of the brokers, which logs each outage once.
#[derive(Debug)]
pub struct BrokerStatus {
    /// The configured addresses.
    pub addresses: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether outages are logged. False while the bus is being opened: the call that opens it
    /// returns the error instead.
    is_logging: bool,
    is_down: bool,
    responded_at: Option<Instant>,
    /// The last reason for a failed connection; empty if there is none.
    reason: String,
}

impl BrokerStatus {
    /// The status of brokers that were not contacted yet.
    pub fn new(addresses: &str) -> Arc<BrokerStatus> {
        Arc::new(BrokerStatus { addresses: addresses.to_owned(), state: Mutex::default() })
    }

    /// Logs outages from now on.
    pub fn start_logging(&self) {
        *self.state() = State { is_logging: true, ..State::default() };
    }

    /// Notes that a broker responded.
    pub fn responded(&self) {
        let mut state = self.state();
        if state.is_down {
            tracing::info!(brokers = self.addresses, "bus recovered");
        }
        *state = State { is_logging: state.is_logging, responded_at: Some(Instant::now()), ..State::default() };
    }

    /// The error that no broker responds, with the last known reason.
    pub fn unreachable(&self, error: &KafkaError) -> BusError {
        self.state().unreachable(&self.addresses, error)
    }

    /// Notes an error that a client reports, and logs it if it begins an outage.
    pub fn failed(&self, error: &KafkaError, reason: &str) {
        let mut state = self.state();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {}
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL,
            ) => return state.reason = reason.to_owned(),
            _ => return,
        }
        let is_late = state.responded_at.is_some_and(|at| at.elapsed() < LATE_ERROR);
        if state.is_logging && !state.is_down && !is_late {
            state.is_down = true;
            let error = state.unreachable(&self.addresses, error);
            tracing::warn!(brokers = self.addresses, %error, hint = error.hint(), "bus unavailable; retrying");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn unreachable(&self, addresses: &str, error: &KafkaError) -> BusError {
        let reason = if self.reason.is_empty() { error.to_string() } else { self.reason.clone() };
        BusError::Unreachable { brokers: addresses.to_owned(), reason }
    }
}
