//! The manual of all settings, from their doc comments.

use serde_json::Value;

use super::{
    keys::{Key, Keys},
    settings::Settings,
};

/// Renders a Markdown manual of every key of `S`: its type, default and meaning.
pub fn reference<S: Settings>(title: &str) -> String {
    let defaults = serde_json::to_value(S::default()).unwrap_or_default();
    let keys = Keys::from_schema::<S>(&defaults);
    let mut text = format!("# {title}\n");
    for (name, section) in keys.iter().filter(|(_, key)| key.is_section) {
        if !name.is_empty() {
            text.push_str(&format!("\n## `[{name}]`\n"));
        }
        if !section.description.is_empty() {
            text.push_str(&format!("\n{}\n", section.description));
        }
        if name.is_empty() {
            text.push_str("\nThe environment variable `DETECTIVE__A__B` overrides the key `b` of the section `[a]`.\n");
        }
        table(&mut text, &keys, name);
    }
    text
}

fn table(text: &mut String, keys: &Keys, section: &str) {
    let mut rows = String::new();
    for name in keys.in_section(section) {
        let full = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        if let Some(key) = keys.get(&full).filter(|key| !key.is_section && !key.is_foreign) {
            rows.push_str(&row(name, key));
        }
    }
    if !rows.is_empty() {
        text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
        text.push_str(&rows);
    }
}

fn row(name: &str, key: &Key) -> String {
    let default = match &key.default {
        Value::Null => "none".to_owned(),
        value => format!("`{value}`"),
    };
    // An unescaped bar ends a table cell.
    let cell = |text: &str| text.replace('|', "\\|");
    format!("| `{}` | {} | {} | {} |\n", cell(name), cell(&key.type_label), cell(&default), cell(&key.description))
}
