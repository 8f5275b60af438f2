//! What fuzz targets have in common.

use std::{fmt::Debug, sync::OnceLock};

use schemas::codec::{Record, fingerprint};

/// First bytes of a record in single-object encoding.
const MARKER: [u8; 2] = [0xc3, 0x01];

/// Decodes bytes as the body of a record, after the header of its current schema: random bytes
/// rarely begin with a known fingerprint. Returns `None` if the bytes are not a record.
///
/// # Panics
/// If a decoded record does not encode to one that decodes to the same.
pub fn decode_body<R: Record + Debug>(bytes: &[u8]) -> Option<R> {
    // A fuzz target decodes one type only.
    static HEADER: OnceLock<Vec<u8>> = OnceLock::new();
    let header = HEADER.get_or_init(|| [&MARKER[..], &fingerprint(R::versions().current())].concat());
    let record: R = schemas::decode(&[header, bytes].concat()).ok()?;
    let encoded = schemas::encode(&record).expect("a decoded record is encoded");
    let again: R = schemas::decode(&encoded).expect("an encoded record is decoded");
    // Numbers that are not a number differ from themselves, but not in their text.
    assert_eq!(format!("{again:?}"), format!("{record:?}"));
    Some(record)
}
