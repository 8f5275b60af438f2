//! The settings `[bus.kafka]`.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
#[cfg(feature = "kafka")]
use schemas::Topic;
use serde::{Deserialize, Serialize};

/// The connection to Kafka, and the topics that `detective topics apply` creates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Bootstrap brokers as `host:port`, separated by commas.
    pub brokers: String,
    /// Prefix of the names of topics and consumer groups, for installations that share a cluster.
    pub prefix: String,
    /// Partitions per topic: the largest number of scorers that can share the work.
    pub partitions: u16,
    /// Replicas per partition. 0: the default of the broker.
    pub replication: u16,
    /// Time without a heartbeat after which other scorers or trainers take over the partitions of a
    /// member. Must be at least the broker's `group.min.session.timeout.ms`, by default `6s`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub session_timeout: Duration,
    /// Timeout for the delivery of a record, with all retries.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub delivery_timeout: Duration,
    /// Security protocol: `plaintext`, `tls`, `sasl_plaintext` or `sasl_tls`. All but the first
    /// require a build with the feature `tls`.
    pub security: Security,
    /// PEM file with the certificates of trusted authorities. Empty: those of the system.
    pub ca_file: PathBuf,
    /// PEM file with the client certificate, if brokers require one.
    pub certificate_file: PathBuf,
    /// PEM file with the private key of the client certificate.
    pub key_file: PathBuf,
    /// SASL mechanism: `plain`, `scram-sha-256` or `scram-sha-512`.
    pub mechanism: Mechanism,
    /// SASL user name.
    pub username: String,
    /// File that contains the SASL password and nothing else.
    pub password_file: PathBuf,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        KafkaConfig {
            brokers: "127.0.0.1:9092".to_owned(),
            prefix: String::new(),
            partitions: 12,
            replication: 0,
            session_timeout: Duration::from_secs(10),
            delivery_timeout: Duration::from_secs(120),
            security: Security::default(),
            ca_file: PathBuf::new(),
            certificate_file: PathBuf::new(),
            key_file: PathBuf::new(),
            mechanism: Mechanism::default(),
            username: String::new(),
            password_file: PathBuf::new(),
        }
    }
}

/// The security protocol of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Neither encryption nor authentication.
    #[default]
    Plaintext,
    /// TLS.
    Tls,
    /// SASL authentication without encryption.
    SaslPlaintext,
    /// SASL authentication over TLS.
    SaslTls,
}

impl Security {
    /// Whether the protocol authenticates with SASL.
    pub fn uses_sasl(self) -> bool {
        matches!(self, Security::SaslPlaintext | Security::SaslTls)
    }
}

/// The SASL mechanism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// PLAIN: name and password in the clear.
    #[default]
    Plain,
    /// SCRAM-SHA-256: salted challenge and response.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// SCRAM-SHA-512: salted challenge and response.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl KafkaConfig {
    /// The name of the topic on this cluster.
    #[cfg(feature = "kafka")]
    pub(crate) fn topic_name(&self, topic: Topic) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// The topic with this name on this cluster.
    #[cfg(feature = "kafka")]
    pub(crate) fn topic_with_name(&self, name: &str) -> Option<Topic> {
        Topic::from_name(name.strip_prefix(&self.prefix)?)
    }

    /// Checks the values, without I/O. Returns pairs of a key, relative to `bus`, and a problem.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let is_address = |broker: &str| {
            let address = broker.trim().rsplit_once(':');
            address.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
        };
        if !self.brokers.split(',').all(is_address) {
            problems
                .push(("kafka.brokers", format!("must be `host:port`, separated by commas, found `{}`", self.brokers)));
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.prefix.len() > 200 || !self.prefix.chars().all(is_allowed) {
            let found = &self.prefix;
            problems.push((
                "kafka.prefix",
                format!("must be at most 200 characters of a-z A-Z 0-9 . _ -, found `{found}`"),
            ));
        }
        if self.partitions == 0 {
            problems.push(("kafka.partitions", "must be at least 1, found 0".to_owned()));
        }
        for (key, timeout) in
            [("kafka.session_timeout", self.session_timeout), ("kafka.delivery_timeout", self.delivery_timeout)]
        {
            if timeout < Duration::from_secs(1) || timeout > Duration::from_secs(3600) {
                problems.push((key, format!("must be from 1s to 1h, found {timeout:?}")));
            }
        }
        if self.security.uses_sasl() && (self.username.is_empty() || self.password_file.as_os_str().is_empty()) {
            problems.push(("kafka.security", "SASL requires `username` and `password_file`".to_owned()));
        }
        if self.certificate_file.as_os_str().is_empty() != self.key_file.as_os_str().is_empty() {
            problems
                .push(("kafka.certificate_file", "`certificate_file` and `key_file` must be set together".to_owned()));
        }
        problems
    }
}
