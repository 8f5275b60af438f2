//! Avro single-object encoding: two marker bytes, the fingerprint of the writer's schema, the
//! datum.

use std::sync::LazyLock;

use apache_avro::{Schema, rabin::Rabin, reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter};
use serde::{Serialize, de::DeserializeOwned};
use sha2::Digest;
use thiserror::Error;

use crate::{
    GraphSnapshot, HealthySnapshot, Incident, ModelRelease, OperatorAction, RawRead, RootCauseEvent,
    number::{push_long, read_number},
};

/// Maximum size of a record. A larger one is rejected before it is decoded.
pub const MAX_RECORD_BYTES: usize = 32 << 20;

/// Maximum allocation for a single length field of a file or record, so that a forged length can't
/// exhaust memory.
pub const MAX_ALLOCATION_BYTES: usize = 64 << 20;

const MARKER: [u8; 2] = [0xc3, 0x01];
const HEADER_BYTES: usize = 10;

/// Why bytes can't be decoded, or a record not encoded.
#[derive(Debug, Error)]
pub enum CodecError {
    /// The record exceeds [`MAX_RECORD_BYTES`].
    #[error("{record} of {found} bytes is larger than the {MAX_RECORD_BYTES} bytes that a record may have")]
    TooLarge {
        /// Name of the expected record.
        record: &'static str,
        /// Size in bytes.
        found: usize,
    },
    /// The bytes don't begin with the marker of single-object encoding.
    #[error("expected {record} in Avro single-object encoding (`c3 01`, then 8 bytes), found {found}")]
    NotSingleObject {
        /// Name of the expected record.
        record: &'static str,
        /// The first bytes, printable.
        found: String,
    },
    /// The fingerprint belongs to no version of the record.
    #[error("schema fingerprint `{found}` is no known version of {record}")]
    UnknownVersion {
        /// Name of the expected record.
        record: &'static str,
        /// Fingerprint in hex, in byte order.
        found: String,
    },
    /// The datum does not match its schema.
    #[error("{record} cannot be read: {reason}")]
    Malformed {
        /// Name of the expected record.
        record: &'static str,
        /// Message of the decoder.
        reason: String,
    },
    /// The record does not match its schema.
    #[error("{record} cannot be written: {reason}")]
    Unwritable {
        /// Name of the record.
        record: &'static str,
        /// Message of the encoder.
        reason: String,
    },
}

/// A record type with a schema.
pub trait Record: Serialize + DeserializeOwned + 'static {
    /// Name of the record in its schema.
    const NAME: &'static str;

    /// Its schema versions, the current one last.
    fn versions() -> &'static Versions;
}

/// The schema versions of a record, the current one last.
pub struct Versions {
    schemas: Vec<(Fingerprint, &'static Schema)>,
    writer: GenericDatumWriter<'static>,
    reader: GenericDatumReader<'static>,
}

/// The fingerprint of a schema, as in the header of single-object encoding.
pub type Fingerprint = [u8; 8];

impl Versions {
    /// Parses the texts of `.avsc` files, the current version last.
    ///
    /// # Panics
    /// If a text is not an Avro schema; the texts are compiled in.
    #[expect(clippy::expect_used, reason = "the texts are compiled in and a test reads every one")]
    pub fn parse(texts: &[&str]) -> Self {
        // The library keeps one limit per process, the first one set.
        apache_avro::util::max_allocation_bytes(MAX_ALLOCATION_BYTES);
        let schemas: Vec<_> = texts
            .iter()
            .map(|text| {
                // Schemas live as long as the program, because encoders borrow from them.
                let schema: &'static Schema = Box::leak(Box::new(Schema::parse_str(text).expect("a valid .avsc")));
                (fingerprint(schema), schema)
            })
            .collect();
        let current = schemas.last().expect("at least one version").1;
        Versions {
            writer: GenericDatumWriter::builder(current).human_readable(false).build().expect("a closed schema"),
            reader: GenericDatumReader::builder(current).human_readable(false).build().expect("a closed schema"),
            schemas,
        }
    }

    /// The current version.
    #[expect(clippy::expect_used, reason = "`parse` takes at least one")]
    pub fn current(&self) -> &'static Schema {
        self.schemas.last().expect("at least one version").1
    }

    /// All versions.
    pub fn all(&self) -> impl Iterator<Item = &'static Schema> {
        self.schemas.iter().map(|(_, schema)| *schema)
    }

    fn current_fingerprint(&self) -> Fingerprint {
        self.schemas.last().map(|(fingerprint, _)| *fingerprint).unwrap_or_default()
    }

    /// Whether data of this schema have the binary layout of the current version.
    pub(crate) fn is_current(&self, schema: &Schema) -> bool {
        fingerprint(schema) == self.current_fingerprint()
    }

    /// Appends the datum of a record.
    pub(crate) fn write<R: Record>(&self, record: &R, bytes: &mut Vec<u8>) -> Result<(), CodecError> {
        let written = self.writer.write_ser(bytes, record);
        written.map_err(|error| CodecError::Unwritable { record: R::NAME, reason: error.to_string() })?;
        Ok(())
    }

    /// Reads a datum of the current version and advances `datum` past it.
    pub(crate) fn read<R: Record>(&self, datum: &mut &[u8]) -> Result<R, CodecError> {
        self.reader.read_deser(datum).map_err(malformed::<R>)
    }

    /// Reads a datum of another schema and advances `datum` past it.
    pub(crate) fn resolve<R: Record>(&self, writer: &Schema, datum: &mut &[u8]) -> Result<R, CodecError> {
        // The library's direct serde path panics with a reader schema, so data of other schemas are
        // resolved as values.
        let value = GenericDatumReader::builder(writer)
            .reader_schema(self.current())
            .human_readable(false)
            .build()
            .and_then(|reader| reader.read_value(datum))
            .map_err(malformed::<R>)?;
        apache_avro::from_value(&value).map_err(malformed::<R>)
    }
}

fn malformed<R: Record>(reason: impl std::fmt::Display) -> CodecError {
    CodecError::Malformed { record: R::NAME, reason: reason.to_string() }
}

/// The CRC-64-AVRO fingerprint of a schema's parsing canonical form, in header byte order.
pub fn fingerprint(schema: &Schema) -> Fingerprint {
    // For a logical type the library leaves `{"type":"long"}`. The specification ([PRIMITIVE]) and
    // all other libraries write `"long"`; consumers would compute another fingerprint.
    let mut canonical = schema.canonical_form();
    for primitive in ["int", "long", "bytes", "string"] {
        canonical = canonical.replace(&format!("{{\"type\":\"{primitive}\"}}"), &format!("\"{primitive}\""));
    }
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&Rabin::digest(canonical));
    fingerprint
}

/// Encodes a record.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, CodecError> {
    let versions = R::versions();
    let mut bytes = Vec::with_capacity(1024);
    bytes.extend_from_slice(&MARKER);
    bytes.extend_from_slice(&versions.current_fingerprint());
    versions.write(record, &mut bytes)?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(CodecError::TooLarge { record: R::NAME, found: bytes.len() });
    }
    Ok(bytes)
}

/// Decodes a record of any released version.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, CodecError> {
    decode_versions(R::versions(), bytes)
}

/// Decodes with the given versions instead of the released ones, for tests of schema evolution.
pub fn decode_versions<R: Record>(versions: &Versions, bytes: &[u8]) -> Result<R, CodecError> {
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(CodecError::TooLarge { record: R::NAME, found: bytes.len() });
    }
    let (found, mut datum) = split_header(bytes).ok_or_else(|| not_single_object::<R>(bytes))?;
    let record = if found == versions.current_fingerprint() {
        versions.read(&mut datum)?
    } else {
        let (_, writer) = versions
            .schemas
            .iter()
            .find(|(fingerprint, _)| *fingerprint == found)
            .ok_or_else(|| CodecError::UnknownVersion { record: R::NAME, found: hex(&found) })?;
        versions.resolve(writer, &mut datum)?
    };
    if !datum.is_empty() {
        return Err(malformed::<R>(format!("{} bytes follow its end", datum.len())));
    }
    Ok(record)
}

/// Replaces host and cohort, which are the first fields, in an encoded snapshot. Returns `None` if
/// the bytes are not a snapshot of the current version. Much faster than decoding and encoding.
pub fn replace_host(snapshot: &[u8], host: &str, cohort: &str) -> Option<Vec<u8>> {
    let (found, mut rest) = split_header(snapshot)?;
    if found != GraphSnapshot::versions().current_fingerprint() {
        return None;
    }
    for _ in [host, cohort] {
        let length = usize::try_from(read_number(&mut rest).ok()?).ok()?;
        rest = rest.get(length..)?;
    }
    let mut bytes = Vec::with_capacity(snapshot.len() + host.len() + cohort.len());
    bytes.extend_from_slice(&snapshot[..HEADER_BYTES]);
    for name in [host, cohort] {
        push_long(i64::try_from(name.len()).ok()?, &mut bytes);
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes.extend_from_slice(rest);
    Some(bytes)
}

fn split_header(bytes: &[u8]) -> Option<(Fingerprint, &[u8])> {
    let (header, datum) = bytes.split_at_checked(HEADER_BYTES)?;
    let fingerprint = header.strip_prefix(&MARKER)?.try_into().ok()?;
    Some((fingerprint, datum))
}

fn not_single_object<R: Record>(bytes: &[u8]) -> CodecError {
    let found = match bytes {
        [] => "nothing".to_owned(),
        _ => format!("{} bytes that begin `{}`", bytes.len(), hex(&bytes[..bytes.len().min(HEADER_BYTES)])),
    };
    CodecError::NotSingleObject { record: R::NAME, found }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

macro_rules! records {
    ($($record:ident: $($version:literal),+;)+) => {$(
        impl Record for $record {
            const NAME: &'static str = stringify!($record);

            fn versions() -> &'static Versions {
                static VERSIONS: LazyLock<Versions> =
                    LazyLock::new(|| Versions::parse(&[$(include_str!($version)),+]));
                &VERSIONS
            }
        }
    )+};
}

records! {
    GraphSnapshot: "../graph_snapshot.avsc", "../graph_snapshot.v2.avsc";
    HealthySnapshot: "../healthy_snapshot.avsc";
    ModelRelease: "../model_release.avsc";
    RootCauseEvent: "../root_cause_event.avsc";
    Incident: "../incident.avsc";
    OperatorAction: "../operator_action.avsc";
    RawRead: "../raw_read.avsc";
}

/// Gives an enum a text form. Records carry such words as strings, so that a new word does not
/// break a reader's schema.
macro_rules! string_enum {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// The word that records carry.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String {
                word.as_str().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                match text.as_str() {
                    $($text => Ok($name::$variant),)+
                    _ => Err(format!(concat!("expected one of", $(" `", $text, "`",)+ ", found `{}`"), text)),
                }
            }
        }
    };
}
pub(crate) use string_enum;
