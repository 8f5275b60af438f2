//! The manual of all keys, from the doc comments.

use serde_json::Value;

use super::{
    Settings,
    keys::{Key, Keys},
};

/// A Markdown manual of every key of `S`: what it means, its type and its default.
pub fn reference<S: Settings>(title: &str) -> String {
    let defaults = serde_json::to_value(S::default()).unwrap_or_default();
    let keys = Keys::of::<S>(&defaults);
    let mut text = format!("# {title}\n");
    for (name, section) in keys.iter().filter(|(_, key)| key.section) {
        if !name.is_empty() {
            text.push_str(&format!("\n## `[{name}]`\n"));
        }
        if !section.description.is_empty() {
            text.push_str(&format!("\n{}\n", section.description));
        }
        if name.is_empty() {
            text.push_str(
                "\nThe key `b` of the section `[a]` is `DETECTIVE__A__B` in the environment, which overrides the file.\n",
            );
        }
        table(&mut text, &keys, name);
    }
    text
}

fn table(text: &mut String, keys: &Keys, section: &str) {
    let mut rows = String::new();
    for name in keys.within(section) {
        let full = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        if let Some(key) = keys.get(&full).filter(|key| !key.section && !key.foreign) {
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
    // A bar would end the cell.
    let cell = |text: &str| text.replace('|', "\\|");
    format!("| `{}` | {} | {} | {} |\n", cell(name), cell(&key.kind), cell(&default), cell(&key.description))
}
