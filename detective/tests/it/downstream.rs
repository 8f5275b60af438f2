//! Checks `docs/alerts.md` against what consumers receive.

use scorer::engine::change_records;
use serde_json::Value;

mod kafka;
mod page;
mod story;

const EVENT: &str = include_str!("../../../schemas/root_cause_event.avsc");

#[test]
fn the_page_lists_exactly_the_headers_of_an_event() {
    let [alert, state] = change_records(&story::changes()[0], None).unwrap();
    let listed: Vec<(String, String)> =
        page::table("header").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
    let found: Vec<(String, String)> = alert.headers.into_iter().map(|(name, value)| (name, text(value))).collect();
    assert_eq!(listed, found);
    assert_eq!(state.headers, []);
}

#[test]
fn the_page_lists_exactly_the_fields_of_the_schema() {
    let event: Value = serde_json::from_str(EVENT).unwrap();
    let suspect = &field(&event, "initiating")["type"][1];
    let reason = &field(suspect, "why")["type"]["items"];
    for (record, head) in [(&event, "event field"), (suspect, "suspect field"), (reason, "reason field")] {
        let listed: Vec<(String, String)> =
            page::table(head).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        let found: Vec<(String, String)> =
            fields(record).iter().map(|field| (text(&field["name"]), type_name(&field["type"]))).collect();
        assert_eq!(listed, found, "{head}");
    }
}

#[test]
fn an_event_in_json_has_the_fields_of_the_schema() {
    let schema: Value = serde_json::from_str(EVENT).unwrap();
    let suspect = &field(&schema, "initiating")["type"][1];
    let names = |record: &Value| fields(record).iter().map(|field| text(&field["name"])).collect::<Vec<_>>();
    let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    for change in story::changes() {
        let event = serde_json::to_value(change.event).unwrap();
        assert_eq!(sorted(keys(&event)), sorted(names(&schema)));
        assert_eq!(sorted(keys(&event["impact"][0])), sorted(names(suspect)));
        assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
    }
}

fn fields(record: &Value) -> &Vec<Value> {
    record["fields"].as_array().unwrap()
}

fn field<'v>(record: &'v Value, name: &str) -> &'v Value {
    fields(record).iter().find(|field| field["name"] == name).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A type of the schema as the tables of the page name it.
fn type_name(schema: &Value) -> String {
    match schema {
        Value::Array(union) => format!("{} or null", type_name(&union[1])),
        Value::Object(array) if schema["type"] == "array" => format!("array of {}", type_name(&array["items"])),
        Value::Object(record) if schema["type"] == "record" => text(&record["name"]),
        Value::Object(logical) => text(&logical["logicalType"]),
        name => text(name).trim_start_matches("detective.").to_owned(),
    }
}
