//! The known keys, from the JSON schema of the settings.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{edit_distance::edit_distance, settings::Settings};

/// All keys of some settings, by dotted name. The root has the empty name.
pub struct Keys(BTreeMap<String, Key>);

/// A key, or a section of keys.
#[derive(Default)]
pub struct Key {
    /// Only other programs use the key and all keys below it.
    pub is_foreign: bool,
    /// The key is a section: it contains a fixed set of keys.
    pub is_section: bool,
    /// The key is a table whose keys the user chooses.
    pub is_free_table: bool,
    /// The doc comment, in one line.
    pub description: String,
    /// The type as the manual shows it: `duration`, `whole number`, or the variants of an enum.
    pub type_label: String,
    /// The JSON types that the value can have.
    pub types: Vec<String>,
    /// The JSON types of the elements, if the value is a list.
    pub element_types: Vec<String>,
    /// The default as JSON; null if there is none.
    pub default: Value,
}

impl Keys {
    /// The keys of `S`, whose default value is `defaults`.
    pub fn from_schema<S: Settings>(defaults: &Value) -> Keys {
        let schema = SchemaSettings::default()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<S>();
        let mut keys = BTreeMap::new();
        collect(&mut keys, String::new(), schema.as_value(), Some(defaults));
        for name in S::FOREIGN {
            keys.entry((*name).to_owned()).or_insert_with(|| Key { is_foreign: true, ..Key::default() });
        }
        Keys(keys)
    }

    /// Whether only other programs use the key of this dotted name.
    pub fn is_foreign(&self, name: &str) -> bool {
        let top = name.split('.').next().unwrap_or_default();
        self.0.get(top).is_some_and(|key| key.is_foreign)
    }

    /// The key of this dotted name.
    pub fn get(&self, name: &str) -> Option<&Key> {
        self.0.get(name)
    }

    /// All keys and sections, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.0.iter().map(|(name, key)| (name.as_str(), key))
    }

    /// The names of the keys directly below a section.
    pub fn in_section<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter_map(move |name| {
            let rest = if section.is_empty() { name } else { name.strip_prefix(section)?.strip_prefix('.')? };
            (!rest.is_empty() && !rest.contains('.')).then_some(rest)
        })
    }

    /// The table of user-chosen keys that contains `name`, if the nearest known key above is one.
    pub fn free_table_above(&self, name: &str) -> Option<&str> {
        let dots = name.rmatch_indices('.').map(|(at, _)| at);
        let (above, key) = dots.filter_map(|at| self.0.get_key_value(&name[..at])).next()?;
        key.is_free_table.then_some(above)
    }

    /// The known name closest to a misspelt one, if it is close enough to be a suggestion.
    pub fn closest_to(&self, name: &str) -> Option<&str> {
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        // The right key in the wrong section is as likely as two wrong letters.
        let distance = |known: &str| {
            let moved = if last(name) == last(known) { 2 } else { usize::MAX };
            edit_distance(name, known).min(moved)
        };
        let candidates = self.0.keys().filter(|known| !known.is_empty());
        let (distance, closest) = candidates.map(|known| (distance(known), known.as_str())).min()?;
        (distance <= 2.max(name.len() / 4)).then_some(closest)
    }
}

fn collect(keys: &mut BTreeMap<String, Key>, name: String, schema: &Value, default: Option<&Value>) {
    let properties = properties(schema);
    for (property, schema) in properties.into_iter().flatten() {
        let name = if name.is_empty() { property.clone() } else { format!("{name}.{property}") };
        collect(keys, name, schema, default.and_then(|default| default.get(property)));
    }
    let types = types(schema);
    let key = Key {
        is_foreign: false,
        is_section: properties.is_some(),
        is_free_table: properties.is_none() && types.iter().any(|name| name == "object"),
        description: description(schema),
        type_label: type_label(schema),
        element_types: schema.get("items").map(self::types).unwrap_or_default(),
        types,
        default: default.cloned().unwrap_or_default(),
    };
    keys.insert(name, key);
}

/// The properties of an object or an optional object. `None` for an enum whose variants have
/// properties: those are not keys.
fn properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    if let Some(properties) = schema.get("properties") {
        return properties.as_object();
    }
    let mut alternatives = alternatives(schema).filter(|schema| schema.get("type") != Some(&Value::from("null")));
    let only = alternatives.next()?;
    if alternatives.next().is_some() { None } else { properties(only) }
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|name| schema.get(name)?.as_array()).flatten()
}

fn types(schema: &Value) -> Vec<String> {
    let mut types: Vec<String> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
        _ => Vec::new(),
    };
    types.extend(alternatives(schema).flat_map(self::types));
    types
}

fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn type_label(schema: &Value) -> String {
    let variants = variants(schema);
    if !variants.is_empty() {
        return variants.join(", ");
    }
    if types(schema).iter().any(|name| name == "string")
        && let Some(format) = schema.get("format").and_then(Value::as_str)
    {
        return format.to_owned();
    }
    let label = |name: &String| match name.as_str() {
        "integer" => Some("whole number".to_owned()),
        "number" => Some("number".to_owned()),
        "boolean" => Some("`true`, `false`".to_owned()),
        "string" => Some("text".to_owned()),
        "array" => {
            let element = schema.get("items").map(type_label).filter(|label| !label.is_empty());
            Some(element.map_or("list".to_owned(), |element| format!("list of {element}")))
        }
        "object" => Some("table".to_owned()),
        _ => None,
    };
    types(schema).iter().filter_map(label).collect::<Vec<_>>().join(" or ")
}

fn variants(schema: &Value) -> Vec<String> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let mut variants: Vec<String> =
        listed.chain(schema.get("const")).filter_map(|value| Some(format!("`{}`", value.as_str()?))).collect();
    variants.extend(alternatives(schema).flat_map(self::variants));
    variants
}
