//! Container files: every version reads them back, and invalid or truncated files are reported.

use std::io::Cursor;

use apache_avro::{Codec, DeflateSettings, Schema, types::Value};
use proptest::prelude::*;
use schemas::{
    GraphSnapshot, RootCauseEvent, Timestamp,
    codec::MAX_ALLOCATION_BYTES,
    container::{ContainerError, Reader, RecordPosition, Writer},
};
use serde_json::json;

use crate::samples;

const SNAPSHOT: &str = include_str!("../../graph_snapshot.v2.avsc");

fn snapshots(count: i64) -> Vec<GraphSnapshot> {
    (0..count).map(|sequence| GraphSnapshot { sequence, ..samples::snapshot() }).collect()
}

/// A file with a block for each of `blocks`, and the offset of the end of each block.
fn file(blocks: &[&[GraphSnapshot]]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    let mut writer = Writer::create(&mut bytes).unwrap();
    for block in blocks {
        block.iter().for_each(|snapshot| writer.append(snapshot).unwrap());
        writer.finish_block().unwrap();
        ends.push(usize::try_from(writer.bytes_written()).unwrap());
    }
    (bytes, ends)
}

/// The records of all whole blocks, and the error after them.
fn read(bytes: &[u8]) -> (Vec<GraphSnapshot>, Option<ContainerError>) {
    let mut read = Vec::new();
    let mut reader = match Reader::<GraphSnapshot, _>::open(Cursor::new(bytes)) {
        Ok(reader) => reader,
        Err(error) => return (read, Some(error)),
    };
    loop {
        let block = match reader.next_block() {
            Ok(Some(block)) => block,
            Ok(None) => return (read, None),
            Err(error) => return (read, Some(error)),
        };
        match reader.records(&block).map(|record| Ok(record?.1)).collect::<Result<Vec<_>, ContainerError>>() {
            Ok(records) => read.extend(records),
            Err(error) => return (read, Some(error)),
        }
    }
}

#[track_caller]
fn check_error(bytes: &[u8], expected: &str) {
    let error = read(bytes).1.expect("an error").to_string();
    assert_eq!(error, expected);
}

#[test]
fn records_are_read_as_written() {
    let written = snapshots(5);
    let (bytes, ends) = file(&[&written[..2], &[], &written[2..]]);
    let (read, error) = read(&bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read, written);
    assert_eq!(ends[2], bytes.len());
}

#[test]
fn a_large_block_is_written_without_finish_block() {
    let mut writer = Writer::create(Vec::new()).unwrap();
    let header = writer.bytes_written();
    let text = samples::snapshot();
    for _ in 0..2000 {
        writer.append(&text).unwrap();
    }
    assert!(writer.bytes_written() > header);
    assert_eq!(writer.bytes_written(), writer.get_ref().len() as u64);
}

#[test]
fn a_file_without_blocks_is_valid() {
    let (read, error) = read(&file(&[]).0);
    assert!(read.is_empty() && error.is_none(), "{error:?}");
}

#[test]
fn the_reader_of_the_avro_library_reads_the_file() {
    let (bytes, _) = file(&[&snapshots(3)]);
    let reader = apache_avro::Reader::new(bytes.as_slice()).unwrap();
    let fingerprint = |schema: &Schema| schemas::codec::fingerprint(schema);
    assert_eq!(fingerprint(reader.writer_schema()), fingerprint(&Schema::parse_str(SNAPSHOT).unwrap()));
    assert_eq!(reader.into_deser_iter::<GraphSnapshot>().map(Result::unwrap).collect::<Vec<_>>(), snapshots(3));
}

#[test]
fn a_record_is_read_again_by_its_position() {
    let written = snapshots(6);
    let (bytes, _) = file(&[&written[..2], &written[2..]]);
    let mut reader = Reader::<GraphSnapshot, _>::open(Cursor::new(bytes)).unwrap();
    let mut places: Vec<RecordPosition> = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        places.extend(reader.records(&block).map(|record| record.unwrap().0));
    }
    for (place, snapshot) in places.iter().zip(&written).rev() {
        let block = reader.block_at(place.block).unwrap();
        assert_eq!(block.offset(), place.block);
        assert_eq!(reader.record_at(&block, place.at).unwrap(), *snapshot);
    }
    let block = reader.block_at(places[0].block).unwrap();
    assert!(reader.record_at(&block, u32::MAX).is_err());
}

#[test]
fn a_truncated_file_gives_its_whole_blocks() {
    let written = snapshots(4);
    let (bytes, ends) = file(&[&written[..1], &written[1..3], &written[3..]]);
    let header = file(&[]).0.len();
    let in_ends = [(ends[0], 1), (ends[1], 3), (ends[2], 4)];
    for length in 0..=bytes.len() {
        let (read, error) = read(&bytes[..length]);
        let whole = in_ends.iter().rev().find(|(end, _)| *end <= length).map_or(0, |(_, count)| *count);
        assert_eq!(read, written[..whole], "of the first {length} bytes");
        let is_at_an_end = length == header || ends.contains(&length);
        match error {
            None => assert!(is_at_an_end, "the first {length} bytes are not a whole file"),
            Some(ContainerError::Truncated { offset }) => assert!(!is_at_an_end && offset <= length as u64),
            Some(error) => assert!(length < header, "the first {length} bytes: {error}"),
        }
    }
}

#[test]
fn reading_ends_with_an_error_at_a_damaged_block() {
    let written = snapshots(4);
    let (mut bytes, ends) = file(&[&written[..1], &written[1..]]);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let (read, error) = read(&bytes);
    assert_eq!(read, written[..1]);
    let error = error.unwrap();
    assert!(error.is_block_error());
    let expected = format!("the block that begins at byte {} is damaged: expected the file's mark", ends[0]);
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_file_of_another_format_is_rejected() {
    check_error(b"", "expected an Avro object container file (`4f 62 6a 01`), found nothing");
    check_error(b"{}", "expected an Avro object container file (`4f 62 6a 01`), found `7b 7d`");
    check_error(
        b"Obj\x01\x00",
        "the header of the Avro object container file cannot be read: it has no end within 4194304 bytes or the file",
    );
    check_error(
        b"Obj\x01\x000123456789abcdef",
        "the header of the Avro object container file cannot be read: it has no `avro.schema`",
    );
}

#[test]
fn records_of_another_schema_are_rejected_by_name() {
    let mut bytes = Vec::new();
    let mut writer = Writer::create(&mut bytes).unwrap();
    writer.append(&samples::event()).unwrap();
    writer.finish_block().unwrap();
    check_error(&bytes, "expected records of the schema `detective.GraphSnapshot`, found `detective.RootCauseEvent`");
    assert!(Reader::<RootCauseEvent, _>::open(Cursor::new(&bytes)).is_ok());

    let schema = Schema::parse_str("\"string\"").unwrap();
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
    writer.append_value("hello").unwrap();
    let bytes = writer.into_inner().unwrap();
    check_error(&bytes, "expected records of the schema `detective.GraphSnapshot`, found `\"string\"`");
}

/// A file with this schema and no blocks.
fn header(schema: &serde_json::Value) -> Vec<u8> {
    let schema = Schema::parse_str(&schema.to_string()).unwrap();
    apache_avro::Writer::new(&schema, Vec::new()).unwrap().into_inner().unwrap()
}

#[test]
fn an_incompatible_schema_of_the_same_name_is_rejected() {
    let mut schema: serde_json::Value = serde_json::from_str(SNAPSHOT).unwrap();
    schema["fields"].as_array_mut().unwrap().retain(|field| field["name"] != "host");
    let error = read(&header(&schema)).1.unwrap();
    assert!(matches!(&error, ContainerError::Incompatible { .. }), "{error}");
    assert!(error.to_string().contains("`detective.GraphSnapshot`"), "{error}");
}

#[test]
fn a_recursive_schema_is_rejected() {
    let mut schema: serde_json::Value = serde_json::from_str(SNAPSHOT).unwrap();
    let chain = json!({"type": "record", "name": "Chain", "fields": [{"name": "next", "type": ["null", "Chain"]}]});
    schema["fields"].as_array_mut().unwrap().push(json!({"name": "chain", "type": chain}));
    let error = read(&header(&schema)).1.unwrap().to_string();
    assert!(error.ends_with("it is recursive"), "{error}");
}

#[test]
fn an_unknown_codec_is_rejected_by_name() {
    let (bytes, _) = file(&[]);
    let at = bytes.windows(7).position(|window| window == b"deflate").unwrap();
    let mut bytes = bytes;
    bytes[at..at + 7].copy_from_slice(b"zstanda");
    check_error(&bytes, "expected blocks of the codec `null` or `deflate`, found `zstanda`");
}

#[test]
fn a_file_of_an_older_version_is_read() {
    let mut schema: serde_json::Value = serde_json::from_str(SNAPSHOT).unwrap();
    let node = schema["fields"].as_array_mut().unwrap().iter_mut().find(|field| field["name"] == "nodes").unwrap();
    let fields = node["type"]["items"]["fields"].as_array_mut().unwrap();
    fields.retain(|field| field["name"] != "container");
    let schema = Schema::parse_str(&schema.to_string()).unwrap();
    let mut expected = samples::snapshot();
    expected.nodes.iter_mut().for_each(|node| node.container = None);
    let bytes = written_by_another(&schema, apache_avro::to_value(&expected).unwrap(), Codec::Null);
    let (read, error) = read(&bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read, [expected]);
}

#[test]
fn a_file_of_a_newer_version_is_read() {
    let mut schema: serde_json::Value = serde_json::from_str(SNAPSHOT).unwrap();
    let field = json!({"name": "kernel", "type": "string", "default": "unknown"});
    schema["fields"].as_array_mut().unwrap().push(field);
    let schema = Schema::parse_str(&schema.to_string()).unwrap();
    let value = apache_avro::to_value(samples::snapshot()).unwrap();
    let bytes = written_by_another(&schema, value, Codec::Deflate(DeflateSettings::default()));
    let (read, error) = read(&bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read, [samples::snapshot()]);
}

fn written_by_another(schema: &Schema, value: Value, codec: Codec) -> Vec<u8> {
    let value = value.resolve(schema).unwrap();
    let mut writer = apache_avro::Writer::with_codec(schema, Vec::new(), codec).unwrap();
    writer.append_value(value).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_length_beyond_the_end_of_the_file_allocates_no_memory() {
    let (mut bytes, _) = file(&[]);
    let begin = bytes.len();
    // One record, in 2^40 bytes.
    bytes.extend([2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
    check_error(
        &bytes,
        &format!(
            "the block that begins at byte {begin} is said to have 1099511627776 bytes, at most {MAX_ALLOCATION_BYTES} are read"
        ),
    );
    bytes.truncate(begin);
    // One record, in -1 bytes.
    bytes.extend([2, 1]);
    check_error(
        &bytes,
        &format!("the block that begins at byte {begin} is damaged: it is said to have 1 records in -1 bytes"),
    );
}

#[test]
fn a_block_that_decompresses_beyond_the_limit_is_rejected() {
    let (empty, _) = file(&[]);
    let sync = apache_avro::read_marker(&empty);
    let mut data = vec![0; MAX_ALLOCATION_BYTES + 1];
    Codec::Deflate(DeflateSettings::default()).compress(&mut data).unwrap();
    let schema = Schema::parse_str("\"bytes\"").unwrap();
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema).build().unwrap();
    let framed = writer.write_value_to_vec(Value::Bytes(data)).unwrap();
    let bytes = [&empty[..], &[2], &framed[..], &sync[..]].concat();
    let error = read(&bytes).1.unwrap();
    assert!(error.is_block_error(), "{error}");
}

#[test]
fn a_record_that_cannot_be_encoded_leaves_the_others_intact() {
    let large = samples::snapshot();
    let large = GraphSnapshot { boot_id: "x".repeat(schemas::codec::MAX_RECORD_BYTES), ..large };
    let mut bytes = Vec::new();
    let mut writer = Writer::create(&mut bytes).unwrap();
    writer.append(&samples::snapshot()).unwrap();
    assert!(writer.append(&large).is_err());
    writer.append(&GraphSnapshot { ended_at: Timestamp(7), ..samples::snapshot() }).unwrap();
    writer.finish_block().unwrap();
    let (read, error) = read(&bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read.iter().map(|snapshot| snapshot.ended_at.0).collect::<Vec<_>>(), [1_767_225_600_012, 7]);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(change in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let written = snapshots(3);
        let (mut bytes, _) = file(&[&written[..1], &written[1..]]);
        for (at, byte) in change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes);
    }
}
