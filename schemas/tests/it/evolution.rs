//! Schema evolution: readers of one version accept records of writers of another.

use apache_avro::{Schema, schema_compatibility::SchemaCompatibility};
use schemas::{
    GraphSnapshot, HealthySnapshot, Incident, ModelRelease, OperatorAction, RawRead, RootCauseEvent,
    codec::{Record, Versions, decode_versions},
    encode,
};
use serde_json::{Value, json};

use crate::samples;

/// The schema of an event as a later version may have it: one more field, with a default.
fn with_a_new_field(schema: &str) -> String {
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    let field = json!({"name": "severity", "type": "string", "default": "unknown"});
    schema["fields"].as_array_mut().unwrap().push(field);
    schema.to_string()
}

const EVENT: &str = include_str!("../../root_cause_event.avsc");

#[test]
fn a_new_reader_decodes_records_of_an_old_writer() {
    let versions = Versions::parse(&[EVENT, &with_a_new_field(EVENT)]);
    let bytes = encode(&samples::event()).unwrap();
    // The record type has no such field yet, but the bytes take the path of an older version.
    assert_eq!(decode_versions::<RootCauseEvent>(&versions, &bytes).unwrap(), samples::event());
}

#[test]
fn an_old_reader_decodes_records_of_a_new_writer() {
    let new = Schema::parse_str(&with_a_new_field(EVENT)).unwrap();
    let mut fields = match apache_avro::to_value(samples::event()).unwrap() {
        apache_avro::types::Value::Record(fields) => fields,
        other => panic!("expected a record, found {other:?}"),
    };
    fields.push(("severity".into(), apache_avro::types::Value::String("high".into())));
    let value = apache_avro::types::Value::Record(fields).resolve(&new).unwrap();
    let mut bytes = vec![0xc3, 0x01];
    bytes.extend(schemas::codec::fingerprint(&new));
    bytes.extend(
        apache_avro::writer::datum::GenericDatumWriter::builder(&new)
            .build()
            .unwrap()
            .write_value_to_vec(value)
            .unwrap(),
    );
    let versions = Versions::parse(&[&with_a_new_field(EVENT), EVENT]);
    assert_eq!(decode_versions::<RootCauseEvent>(&versions, &bytes).unwrap(), samples::event());
}

#[test]
fn fingerprints_follow_the_specification() {
    let int = Schema::parse_str("\"int\"").unwrap();
    assert_eq!(
        schemas::codec::fingerprint(&int),
        0x7275_d51a_3f39_5c8f_u64.to_le_bytes(),
        "of the specification's own tests"
    );
    // Logical types do not take part in it.
    let record = |of: &str| format!(r#"{{"type":"record","name":"r","fields":[{{"name":"t","type":{of}}}]}}"#);
    let plain = Schema::parse_str(&record(r#""long""#)).unwrap();
    let logical = Schema::parse_str(&record(r#"{"type":"long","logicalType":"timestamp-millis"}"#)).unwrap();
    assert_eq!(schemas::codec::fingerprint(&plain), schemas::codec::fingerprint(&logical));
}

#[test]
fn every_version_of_a_record_reads_every_other_both_ways() {
    fn check<R: Record>() {
        for (one, other) in R::versions().all().flat_map(|one| R::versions().all().map(move |other| (one, other))) {
            SchemaCompatibility::mutual_read(one, other).unwrap();
        }
    }
    check::<GraphSnapshot>();
    check::<HealthySnapshot>();
    check::<ModelRelease>();
    check::<RootCauseEvent>();
    check::<Incident>();
    check::<OperatorAction>();
    check::<RawRead>();
}
