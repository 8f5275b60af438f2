//! How each client is set up, and what is known of the brokers.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    BusConfig, BusError, KafkaConfig,
    config::{Mechanism, Security},
};

/// A transaction that is open for longer was left by a process that died: the broker aborts it, and readers go on.
const TRANSACTION_TIMEOUT_MS: u64 = 10_000;
/// A client that is told of a failure so soon after an answer is behind the others.
const LATE: Duration = Duration::from_secs(5);
/// A consumer holds no more than this of what it fetched ahead.
const FETCHED_AHEAD_KB: u32 = 4096;

/// The settings that all clients share.
pub fn settings(config: &KafkaConfig) -> Result<ClientConfig, BusError> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "local-detective")
        // A host that says nothing for long is not worth a line; one that cannot be reached is told once, by us.
        .set("log.connection.close", "false")
        .set("reconnect.backoff.max.ms", "5000")
        .set("socket.keepalive.enable", "true")
        .set("topic.metadata.refresh.interval.ms", "60000")
        .set_log_level(RDKafkaLogLevel::Info);
    secure(&mut client, config)?;
    Ok(client)
}

fn secure(client: &mut ClientConfig, config: &KafkaConfig) -> Result<(), BusError> {
    let protocol = match config.security {
        Security::Plaintext => return Ok(()),
        Security::Tls => "ssl",
        Security::SaslPlaintext => "sasl_plaintext",
        Security::SaslTls => "sasl_ssl",
    };
    if !cfg!(feature = "tls") {
        return Err(BusError::NotBuilt { key: "bus.kafka.security", what: "TLS and SASL" });
    }
    client.set("security.protocol", protocol);
    let files = [
        ("bus.kafka.ca_file", "ssl.ca.location", &config.ca_file),
        ("bus.kafka.certificate_file", "ssl.certificate.location", &config.certificate_file),
        ("bus.kafka.key_file", "ssl.key.location", &config.key_file),
    ];
    for (key, name, path) in files.into_iter().filter(|(_, _, path)| !path.as_os_str().is_empty()) {
        // The library's own words for a file that is not there are of no help.
        read(key, path)?;
        client.set(name, path.to_string_lossy());
    }
    if config.security.has_login() {
        let mechanism = match config.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        let password = read("bus.kafka.password_file", &config.password_file)?;
        client
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", &config.username)
            .set("sasl.password", password.trim_end_matches(['\r', '\n']));
    }
    Ok(())
}

fn read(key: &'static str, path: &Path) -> Result<String, BusError> {
    fs::read_to_string(path).map_err(|source| BusError::Credentials { key, path: path.to_owned(), source })
}

/// What a producer of single records adds.
pub fn producer(shared: &ClientConfig, config: &BusConfig) -> ClientConfig {
    let mut client = shared.clone();
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", "2")
        // This limit counts what is not compressed yet; the topic's own counts what arrives.
        .set("message.max.bytes", config.max_record_bytes.saturating_add(64 << 10).to_string())
        .set("message.timeout.ms", config.kafka.delivery_timeout.as_millis().to_string());
    client
}

/// What a producer of transactions adds, under a name that nobody else has.
pub fn transactional(shared: &ClientConfig, config: &BusConfig) -> ClientConfig {
    let mut client = producer(shared, config);
    client
        .set("transactional.id", format!("local-detective-{}", uuid::Uuid::new_v4()))
        .set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS.to_string())
        .set("message.timeout.ms", TRANSACTION_TIMEOUT_MS.to_string());
    client
}

/// What every reader adds.
pub fn consumer(shared: &ClientConfig) -> ClientConfig {
    let mut client = shared.clone();
    client
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("queued.max.messages.kbytes", FETCHED_AHEAD_KB.to_string())
        .set("fetch.max.bytes", "8388608");
    client
}

/// What a member of a group adds.
pub fn member(shared: &ClientConfig, config: &KafkaConfig, group: &str) -> ClientConfig {
    let mut client = consumer(shared);
    let session = config.session_timeout.as_millis();
    client
        .set("group.id", format!("{}{group}", config.prefix))
        .set("session.timeout.ms", session.to_string())
        .set("heartbeat.interval.ms", (session / 4).clamp(100, 3000).to_string());
    client
}

/// What the clients of a bus know of their brokers.
#[derive(Debug)]
pub struct Brokers {
    /// Where they should be.
    pub addresses: String,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// Before that, whoever opens the bus says what is wrong.
    is_open: bool,
    is_down: bool,
    answered_at: Option<Instant>,
    why: String,
}

impl Brokers {
    /// Brokers of which nothing was heard yet.
    pub fn new(addresses: &str) -> Arc<Brokers> {
        Arc::new(Brokers { addresses: addresses.to_owned(), heard: Mutex::default() })
    }

    /// From here on it is said when no broker can be reached.
    pub fn opened(&self) {
        *self.heard() = Heard { is_open: true, ..Heard::default() };
    }

    /// A broker answered.
    pub fn answered(&self) {
        let mut heard = self.heard();
        if heard.is_down {
            tracing::info!(brokers = self.addresses, "Kafka answers again");
        }
        *heard = Heard { is_open: heard.is_open, answered_at: Some(Instant::now()), ..Heard::default() };
    }

    /// Why no broker can be reached, in the library's words.
    pub fn unreachable(&self, error: &KafkaError) -> BusError {
        self.heard().unreachable(&self.addresses, error)
    }

    fn failed(&self, error: &KafkaError, reason: &str) {
        let mut heard = self.heard();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {}
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL,
            ) => return heard.why = reason.to_owned(),
            _ => return,
        }
        // Of several clients one may notice late what is over already.
        let is_late = heard.answered_at.is_some_and(|at| at.elapsed() < LATE);
        if heard.is_open && !heard.is_down && !is_late {
            heard.is_down = true;
            let error = heard.unreachable(&self.addresses, error);
            tracing::warn!(hint = error.hint(), "{error}; trying on");
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn unreachable(&self, addresses: &str, error: &KafkaError) -> BusError {
        let why = if self.why.is_empty() { error.to_string() } else { self.why.clone() };
        BusError::Unreachable { brokers: addresses.to_owned(), why }
    }
}

/// What a client tells, in our log.
#[derive(Clone)]
pub struct Context {
    /// Whom it is about.
    pub brokers: Arc<Brokers>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.brokers.failed(&error, reason);
    }
}

impl ConsumerContext for Context {}

/// The library's own lines are for those who look for details.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    tracing::debug!(?level, facility, "{message}");
}
