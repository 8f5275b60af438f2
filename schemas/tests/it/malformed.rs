//! Invalid bytes are rejected.

use proptest::prelude::*;
use schemas::{CodecError, GraphSnapshot, ModelRelease, codec::MAX_RECORD_BYTES, decode, encode};

use crate::samples;

#[test]
fn a_truncated_record_is_rejected_at_every_length() {
    let bytes = encode(&samples::snapshot()).unwrap();
    for length in 0..bytes.len() {
        assert!(decode::<GraphSnapshot>(&bytes[..length]).is_err(), "the first {length} bytes are not a snapshot");
    }
}

#[test]
fn bytes_after_the_record_are_rejected() {
    let mut bytes = encode(&samples::snapshot()).unwrap();
    bytes.push(0);
    let error = decode::<GraphSnapshot>(&bytes).unwrap_err().to_string();
    assert_eq!(error, "GraphSnapshot cannot be read: 1 bytes follow its end");
}

#[test]
fn a_record_of_100_mb_is_rejected_before_it_is_read() {
    let bytes = vec![0; 100 << 20];
    let error = decode::<GraphSnapshot>(&bytes).unwrap_err();
    assert!(matches!(error, CodecError::TooLarge { found, .. } if found == 100 << 20));
    let release = schemas::ModelRelease { onnx: vec![0; MAX_RECORD_BYTES], ..samples::release() };
    assert!(matches!(encode(&release), Err(CodecError::TooLarge { .. })));
}

#[test]
fn a_record_of_another_type_and_a_truncated_one_have_different_errors() {
    let bytes = encode(&samples::snapshot()).unwrap();
    let error = decode::<ModelRelease>(&bytes).unwrap_err();
    assert!(matches!(error, CodecError::UnknownVersion { .. }), "{error}");
    let error = decode::<ModelRelease>(b"hello").unwrap_err().to_string();
    assert_eq!(
        error,
        "expected ModelRelease in Avro single-object encoding (`c3 01`, then 8 bytes), found 5 bytes that begin `68 65 6c 6c 6f`"
    );
}

#[test]
fn a_length_beyond_the_end_of_the_record_allocates_no_memory() {
    let mut bytes = encode(&samples::snapshot()).unwrap();
    bytes.truncate(10);
    // The length of the host's name is 2^60.
    bytes.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
    assert!(matches!(decode::<GraphSnapshot>(&bytes), Err(CodecError::Malformed { .. })));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(change in proptest::collection::vec((10usize..400, any::<u8>()), 1..8)) {
        let mut bytes = encode(&samples::snapshot()).unwrap();
        for (at, byte) in change {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let _ = decode::<GraphSnapshot>(&bytes);
    }
}
