//! Raw reads of a sweep, before parsing.

use serde::{Deserialize, Serialize};

/// One read of a sweep and its result. Such records are stored in files only, to be parsed again by
/// the same parsers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawRead {
    /// Kind of the read: `read` (contents of a file), `link` (target of a symbolic link), `numbers`
    /// (numeric names in a directory), `clock` and others.
    pub question: String,
    /// What was read, such as a path; empty if the type says it all.
    pub name: String,
    /// `here`, `gone`, `denied`, `unsupported` or `late`.
    pub answer: String,
    /// The bytes that were read.
    #[serde(with = "apache_avro::serde::bytes")]
    pub bytes: Vec<u8>,
    /// The numbers that were read, for reads that return numbers.
    pub numbers: Vec<i64>,
}
