//! `[bus.kafka]`: how to reach the brokers, and how topics are made there.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
#[cfg(feature = "kafka")]
use schemas::Topic;
use serde::{Deserialize, Serialize};

/// How to reach the brokers, and how `detective topics apply` makes the topics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Brokers to begin with, as `host:port`, separated by commas.
    pub brokers: String,
    /// Put before the names of topics and groups, where several installations share a cluster.
    pub prefix: String,
    /// Partitions that each topic is made with: the most scorers that can share the work.
    pub partitions: u16,
    /// Brokers that each record is kept on. 0: as many as the broker's default says.
    pub replication: u16,
    /// A scorer or trainer that says nothing for this long has died, and the others take over. The broker's
    /// `group.min.session.timeout.ms` is the least, `6s` where nothing else was set.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub session_timeout: Duration,
    /// How long a producer tries to deliver a record before it is an error.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub delivery_timeout: Duration,
    /// How the connection is protected: `plaintext`, `tls`, `sasl_plaintext` or `sasl_tls`. All but the first need a
    /// program that was built with the feature `tls`.
    pub security: Security,
    /// Certificates of the authorities to trust, in PEM. Empty: those of the system.
    pub ca_file: PathBuf,
    /// This program's certificate, in PEM, where brokers ask for one.
    pub certificate_file: PathBuf,
    /// The private key of that certificate, in PEM.
    pub key_file: PathBuf,
    /// How to log in: `plain`, `scram-sha-256` or `scram-sha-512`.
    pub mechanism: Mechanism,
    /// Who logs in.
    pub username: String,
    /// A file that holds the password and nothing else.
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

/// How a connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Not at all.
    #[default]
    Plaintext,
    /// By TLS.
    Tls,
    /// With a login, in the clear.
    SaslPlaintext,
    /// With a login, by TLS.
    SaslTls,
}

impl Security {
    /// Whether there is a login.
    pub fn has_login(self) -> bool {
        matches!(self, Security::SaslPlaintext | Security::SaslTls)
    }
}

/// How to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// Name and password as they are.
    #[default]
    Plain,
    /// Salted challenge and response, SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// Salted challenge and response, SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl KafkaConfig {
    /// The topic's name on this cluster.
    #[cfg(feature = "kafka")]
    pub(crate) fn name(&self, topic: Topic) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// The topic of that name on this cluster.
    #[cfg(feature = "kafka")]
    pub(crate) fn topic(&self, name: &str) -> Option<Topic> {
        Topic::of_name(name.strip_prefix(&self.prefix)?)
    }

    /// What is wrong between its fields, as pairs of a key within `bus` and a sentence. Does no I/O.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let is_address = |broker: &str| {
            let address = broker.trim().rsplit_once(':');
            address.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
        };
        if !self.brokers.split(',').all(is_address) {
            problems
                .push(("kafka.brokers", format!("must be `host:port`, more after commas, found `{}`", self.brokers)));
        }
        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.prefix.len() > 200 || !self.prefix.chars().all(is_legal) {
            let found = &self.prefix;
            problems.push(("kafka.prefix", format!("must be at most 200 of a-z A-Z 0-9 . _ -, found `{found}`")));
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
        if self.security.has_login() && (self.username.is_empty() || self.password_file.as_os_str().is_empty()) {
            problems.push(("kafka.security", "a login needs `username` and `password_file`".to_owned()));
        }
        if self.certificate_file.as_os_str().is_empty() != self.key_file.as_os_str().is_empty() {
            problems.push(("kafka.certificate_file", "a certificate and its `key_file` go together".to_owned()));
        }
        problems
    }
}
