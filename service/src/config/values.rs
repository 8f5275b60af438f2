//! Text from the environment and flags as values of the type that a key expects.

use config::{ConfigError, File, FileFormat, Source, ValueKind};
use serde_json::Value;

use super::keys::Key;

/// Parses `text` as a value for `key`. Text that does not fit stays text, which the deserializer
/// rejects.
pub fn parse(text: &str, key: &Key) -> Value {
    if key.types.iter().any(|name| name == "array" || name == "object")
        && let Ok(mut table) = parse_toml(text)
        && let Some(value) = table.remove("value")
    {
        return value;
    }
    if key.types.iter().any(|name| name == "array") {
        let elements = text.split(',').map(str::trim).filter(|element| !element.is_empty());
        return elements.map(|element| parse_scalar(element, &key.element_types)).collect();
    }
    parse_scalar(text, &key.types)
}

fn parse_toml(text: &str) -> Result<serde_json::Map<String, Value>, ConfigError> {
    let table = File::from_str(&format!("value = {text}"), FileFormat::Toml).collect()?;
    Ok(table.into_iter().map(|(name, value)| (name, to_json(value.kind))).collect())
}

fn parse_scalar(text: &str, types: &[String]) -> Value {
    let parse_as = |name: &String| match name.as_str() {
        "integer" => text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok(),
        "number" => text.parse::<f64>().map(Value::from).ok(),
        "boolean" => text.parse::<bool>().map(Value::from).ok(),
        _ => None,
    };
    types.iter().find_map(parse_as).unwrap_or_else(|| Value::from(text))
}

/// Converts a TOML value to JSON.
pub fn to_json(kind: ValueKind) -> Value {
    match kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(value) => Value::from(value),
        ValueKind::I64(value) => Value::from(value),
        ValueKind::U64(value) => Value::from(value),
        ValueKind::I128(value) => Value::from(value.to_string()),
        ValueKind::U128(value) => Value::from(value.to_string()),
        // JSON has no infinity and no NaN; as text, the value is rejected and quoted.
        ValueKind::Float(value) if !value.is_finite() => Value::from(value.to_string()),
        ValueKind::Float(value) => Value::from(value),
        ValueKind::String(value) => Value::from(value),
        ValueKind::Table(table) => table.into_iter().map(|(name, value)| (name, to_json(value.kind))).collect(),
        ValueKind::Array(values) => values.into_iter().map(|value| to_json(value.kind)).collect(),
    }
}
