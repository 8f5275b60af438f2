//! What a sweep read, before anything was made of it.

use serde::{Deserialize, Serialize};

/// One question that a sweep asked of the kernel or the clock, and the answer. Such records are kept in files, to be read again by the
/// same parsers; they are never on a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawRead {
    /// What was asked.
    pub question: String,
    /// Of what: of a file its path; empty where there is nothing to name.
    pub name: String,
    /// `here`, `gone`, `denied`, `unsupported` or `late`.
    pub answer: String,
    /// What was read, as the kernel gave it.
    #[serde(with = "apache_avro::serde::bytes")]
    pub bytes: Vec<u8>,
    /// An answer in numbers.
    pub numbers: Vec<i64>,
}
