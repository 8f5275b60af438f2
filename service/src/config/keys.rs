//! Which keys there are, by the JSON schema of the settings.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Settings;

/// All keys of some settings, by their dotted names; the root is the empty one.
pub struct Keys(BTreeMap<String, Key>);

/// A key, or a section of them.
#[derive(Default)]
pub struct Key {
    /// Whether another program owns it, and all that is below.
    pub foreign: bool,
    /// Whether it holds keys of its own, all of them known.
    pub section: bool,
    /// Whether it is a table whose keys the user chooses.
    pub open: bool,
    /// The doc comment, its lines joined.
    pub description: String,
    /// For people: `duration`, `whole number`, the variants.
    pub kind: String,
    /// The JSON types that it may have.
    pub types: Vec<String>,
    /// The JSON types of its elements, if it is a list.
    pub element_types: Vec<String>,
    /// As JSON; null where there is none.
    pub default: Value,
}

impl Keys {
    /// The keys of `S`, whose defaults are `defaults`.
    pub fn of<S: Settings>(defaults: &Value) -> Keys {
        let schema = SchemaSettings::default()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<S>();
        let mut keys = BTreeMap::new();
        collect(&mut keys, String::new(), schema.as_value(), Some(defaults));
        for name in S::FOREIGN {
            keys.entry((*name).to_owned()).or_insert_with(|| Key { foreign: true, ..Key::default() });
        }
        Keys(keys)
    }

    /// Whether another program owns the key of that dotted name.
    pub fn is_foreign(&self, name: &str) -> bool {
        let top = name.split('.').next().unwrap_or_default();
        self.0.get(top).is_some_and(|key| key.foreign)
    }

    /// The key of that dotted name.
    pub fn get(&self, name: &str) -> Option<&Key> {
        self.0.get(name)
    }

    /// All of them, sections included, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.0.iter().map(|(name, key)| (name.as_str(), key))
    }

    /// The names of the keys right below a section.
    pub fn within<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter_map(move |name| {
            let rest = if section.is_empty() { name } else { name.strip_prefix(section)?.strip_prefix('.')? };
            (!rest.is_empty() && !rest.contains('.')).then_some(rest)
        })
    }

    /// The longest known name that `name` begins with, if it is a table whose keys the user chooses.
    pub fn open_above(&self, name: &str) -> Option<&str> {
        let dots = name.rmatch_indices('.').map(|(at, _)| at);
        let known = dots.filter_map(|at| self.0.get_key_value(&name[..at])).next()?;
        known.1.open.then_some(known.0)
    }

    /// The known name that was probably meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        // A key that is right but for its section is as near as a slip of the finger.
        let cost = |known: &str| distance(name, known).min(if last(name) == last(known) { 2 } else { usize::MAX });
        let candidates = self.0.keys().filter(|known| !known.is_empty());
        let (cost, nearest) = candidates.map(|known| (cost(known), known.as_str())).min()?;
        (cost <= 2.max(name.len() / 4)).then_some(nearest)
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
        foreign: false,
        section: properties.is_some(),
        open: properties.is_none() && types.iter().any(|name| name == "object"),
        description: description(schema),
        kind: kind(schema),
        element_types: schema.get("items").map(self::types).unwrap_or_default(),
        types,
        default: default.cloned().unwrap_or_default(),
    };
    keys.insert(name, key);
}

/// The properties of an object, optional or not. Those of one variant among several are no keys of their own.
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

fn kind(schema: &Value) -> String {
    let variants = variants(schema);
    if !variants.is_empty() {
        return variants.join(", ");
    }
    if types(schema).iter().any(|name| name == "string")
        && let Some(format) = schema.get("format").and_then(Value::as_str)
    {
        return format.to_owned();
    }
    let name = |name: &String| match name.as_str() {
        "integer" => Some("whole number".to_owned()),
        "number" => Some("number".to_owned()),
        "boolean" => Some("`true`, `false`".to_owned()),
        "string" => Some("text".to_owned()),
        "array" => {
            let of = schema.get("items").map(kind).filter(|kind| !kind.is_empty());
            Some(of.map_or("list".to_owned(), |of| format!("list of {of}")))
        }
        "object" => Some("table".to_owned()),
        _ => None,
    };
    types(schema).iter().filter_map(name).collect::<Vec<_>>().join(" or ")
}

fn variants(schema: &Value) -> Vec<String> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let mut variants: Vec<String> =
        listed.chain(schema.get("const")).filter_map(|value| Some(format!("`{}`", value.as_str()?))).collect();
    variants.extend(alternatives(schema).flat_map(self::variants));
    variants
}

/// Letters to insert, remove, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_costs_one() {
        for (a, b, cost) in
            [("every", "every", 0), ("evry", "every", 1), ("eveyr", "every", 1), ("", "abc", 3), ("é", "e", 1)]
        {
            assert_eq!(distance(a, b), cost, "{a} {b}");
            assert_eq!(distance(b, a), cost, "{b} {a}");
        }
    }
}
