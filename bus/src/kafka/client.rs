//! The configuration of the Kafka clients.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    consumer::ConsumerContext,
    error::KafkaError,
};

use super::broker_status::BrokerStatus;
use crate::{
    BusConfig, BusError, KafkaConfig,
    config::{Mechanism, Security},
};

/// Timeout of a request for the metadata of topics.
pub const METADATA_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of other requests.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of one attempt of a step of a transaction, and of queueing a single record.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of a transaction. The broker aborts the open transaction of a dead process after it, and
/// readers continue.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a client reads the partitions of topics again.
const METADATA_REFRESH_MS: u32 = 10_000;
/// Size limit of the records that a consumer fetches ahead.
const PREFETCH_KB: u32 = 4096;

/// The settings that all clients share.
pub fn base_config(config: &KafkaConfig) -> Result<ClientConfig, BusError> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "local-detective")
        // Brokers close idle connections. `BrokerStatus` logs real outages.
        .set("log.connection.close", "false")
        .set("reconnect.backoff.max.ms", "5000")
        .set("socket.keepalive.enable", "true")
        .set("topic.metadata.refresh.interval.ms", METADATA_REFRESH_MS.to_string())
        .set_log_level(RDKafkaLogLevel::Info);
    set_security(&mut client, config)?;
    Ok(client)
}

fn set_security(client: &mut ClientConfig, config: &KafkaConfig) -> Result<(), BusError> {
    let protocol = match config.security {
        Security::Plaintext => return Ok(()),
        Security::Tls => "ssl",
        Security::SaslPlaintext => "sasl_plaintext",
        Security::SaslTls => "sasl_ssl",
    };
    if !cfg!(feature = "tls") {
        return Err(BusError::FeatureDisabled { key: "bus.kafka.security", feature: "TLS and SASL" });
    }
    client.set("security.protocol", protocol);
    let files = [
        ("bus.kafka.ca_file", "ssl.ca.location", &config.ca_file),
        ("bus.kafka.certificate_file", "ssl.certificate.location", &config.certificate_file),
        ("bus.kafka.key_file", "ssl.key.location", &config.key_file),
    ];
    for (key, name, path) in files.into_iter().filter(|(_, _, path)| !path.as_os_str().is_empty()) {
        // The library's error for a missing file names neither the file nor the setting.
        read_file(key, path)?;
        client.set(name, path.to_string_lossy());
    }
    if config.security.uses_sasl() {
        let mechanism = match config.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        let password = read_file("bus.kafka.password_file", &config.password_file)?;
        client
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", &config.username)
            .set("sasl.password", password.trim_end_matches(['\r', '\n']));
    }
    Ok(())
}

fn read_file(key: &'static str, path: &Path) -> Result<String, BusError> {
    fs::read_to_string(path).map_err(|source| BusError::Credentials { key, path: path.to_owned(), source })
}

/// The settings of a producer of single records.
pub fn producer_config(base: &ClientConfig, config: &BusConfig) -> ClientConfig {
    let mut client = base.clone();
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", "2")
        // Applies before compression; the limit of the topic applies after it.
        .set("message.max.bytes", config.max_record_bytes.saturating_add(64 << 10).to_string())
        .set("message.timeout.ms", config.kafka.delivery_timeout.as_millis().to_string());
    client
}

/// The settings of a transactional producer.
pub fn transactional_config(base: &ClientConfig, config: &BusConfig, transactional_id: &str) -> ClientConfig {
    let mut client = producer_config(base, config);
    let timeout = TRANSACTION_TIMEOUT.as_millis().to_string();
    client
        .set("transactional.id", transactional_id)
        .set("transaction.timeout.ms", &timeout)
        .set("message.timeout.ms", &timeout)
        // For `StatusContext::connection_failures`.
        .set("log.connection.close", "true");
    client
}

/// The settings that all consumers share.
pub fn consumer_config(base: &ClientConfig) -> ClientConfig {
    let mut client = base.clone();
    client
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("queued.max.messages.kbytes", PREFETCH_KB.to_string())
        .set("fetch.max.bytes", "8388608");
    client
}

/// The settings of a member of a group.
pub fn member_config(base: &ClientConfig, config: &KafkaConfig, group: &str) -> ClientConfig {
    let mut client = consumer_config(base);
    let session = config.session_timeout.as_millis();
    client
        .set("group.id", format!("{}{group}", config.prefix))
        .set("session.timeout.ms", session.to_string())
        .set("heartbeat.interval.ms", (session / 4).clamp(100, 3000).to_string());
    client
}

/// Creates a client that reports to `brokers`.
pub fn create<C: FromClientConfigAndContext<StatusContext>>(
    config: &ClientConfig,
    brokers: &Arc<BrokerStatus>,
) -> Result<C, BusError> {
    config.create_with_context(StatusContext::new(brokers)).map_err(|error| invalid_client(&error))
}

/// The error that the library rejects the settings of a client.
pub fn invalid_client(error: &KafkaError) -> BusError {
    BusError::InvalidClient { reason: error.to_string() }
}

/// Passes the errors of a client to the status of the brokers, and its messages to our log.
#[derive(Clone)]
pub struct StatusContext {
    /// The status of the brokers that the client connects to.
    pub brokers: Arc<BrokerStatus>,
    /// Counts the connections that failed. A closed connection counts only if
    /// `log.connection.close` is set.
    pub connection_failures: Arc<AtomicU64>,
}

impl StatusContext {
    /// A context that reports to `brokers`.
    pub fn new(brokers: &Arc<BrokerStatus>) -> StatusContext {
        StatusContext { brokers: Arc::clone(brokers), connection_failures: Arc::default() }
    }
}

impl ClientContext for StatusContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" {
            self.connection_failures.fetch_add(1, Relaxed);
        }
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.brokers.failed(&error, reason);
    }
}

impl ConsumerContext for StatusContext {}

/// Logs a message of the library, at level debug.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    tracing::debug!(?level, facility, message, "message of librdkafka");
}
