//! Serde's messages in plain words.

use serde_json::Value;

/// Rephrases an error message of serde as `expected ..., found ...`, without names of Rust types.
/// Unknown messages stay as they are.
pub fn rephrase(message: &str) -> String {
    let known = ["invalid type: ", "invalid value: ", "unknown variant ", "unknown field "];
    let Some((start, rest)) = known.iter().find_map(|start| Some((*start, message.strip_prefix(start)?))) else {
        return message.to_owned();
    };
    // Split at the last one, because the found value can contain any text.
    let Some((found, expected)) = rest.rsplit_once(", expected ") else { return message.to_owned() };
    let found = if start == "unknown field " { format!("the key {found}") } else { describe_found(found) };
    format!("expected {}, found {found}", describe_expected(expected))
}

/// Describes a value for an error message.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        Value::String(text) => quoted(text),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "an empty text".to_owned() } else { format!("`{text}`") }
}

/// Removes the type from serde's descriptions, such as `string "abc"` and ``integer `3` ``.
fn describe_found(found: &str) -> String {
    if let Some(text) = found.strip_prefix("string ") {
        let text = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.trim_matches('"').to_owned());
        return quoted(&text);
    }
    match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" | "unit value" | "Option value" => "nothing".to_owned(),
        other => match other.find('`') {
            Some(at) => other[at..].to_owned(),
            None => other.to_owned(),
        },
    }
}

fn describe_expected(expected: &str) -> String {
    let range = |min: String, max: String| format!("a whole number from {min} to {max}");
    match expected {
        "u8" => range("0".into(), u8::MAX.to_string()),
        "u16" => range("0".into(), u16::MAX.to_string()),
        "u32" => range("0".into(), u32::MAX.to_string()),
        "u64" | "usize" => "a whole number from 0 on".to_owned(),
        "i8" => range(i8::MIN.to_string(), i8::MAX.to_string()),
        "i16" => range(i16::MIN.to_string(), i16::MAX.to_string()),
        "i32" => range(i32::MIN.to_string(), i32::MAX.to_string()),
        "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "path string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other if other.starts_with("a nonzero ") => "a whole number other than 0".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_begin_with_the_expected_value() {
        for (message, rephrased) in [
            (
                "invalid type: string \"a, expected b\", expected u16",
                "expected a whole number from 0 to 65535, found `a, expected b`",
            ),
            ("invalid value: integer `-1`, expected u64", "expected a whole number from 0 on, found `-1`"),
            ("invalid value: string \"soon\", expected a duration", "expected a duration, found `soon`"),
            ("unknown variant `mqtt`, expected one of `a`, `b`", "expected one of `a`, `b`, found `mqtt`"),
            ("unknown field `x`, expected `y`", "expected `y`, found the key `x`"),
            ("invalid type: map, expected a string", "expected text, found a table"),
            ("invalid value: string \"\", expected a duration", "expected a duration, found an empty text"),
            ("something else", "something else"),
        ] {
            assert_eq!(rephrase(message), rephrased);
        }
    }
}
