//! What was given, and by whom.

use std::{collections::BTreeMap, fs, path::PathBuf};

use config::{Environment, File, FileFormat, Source, ValueKind};
use serde_json::Value;

use super::{
    explain,
    keys::{Key, Keys},
    problems::{ConfigError, Problem},
};

const PREFIX: &str = "DETECTIVE";
const SEPARATOR: &str = "__";

/// Where values come from; a later field overrides an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Dotted keys and values that take the place of defaults: what only this machine can tell.
    pub fallbacks: Vec<(String, String)>,
    /// A TOML file, which must exist.
    pub file: Option<PathBuf>,
    /// Variables of the environment; those like `DETECTIVE__SECTION__KEY` count.
    pub environment: Vec<(String, String)>,
    /// Dotted keys and values, as command-line flags give them.
    pub flags: Vec<(String, String)>,
}

/// One value that was given.
pub struct Given {
    path: Vec<String>,
    value: Value,
    /// The file, environment variable or flag that gave it.
    pub origin: String,
}

impl Given {
    /// Its key, with dots.
    pub fn key(&self) -> String {
        self.path.join(".")
    }

    /// Sets it in a tree of values.
    pub fn put_into(&self, tree: &mut Value) {
        let mut place = tree;
        for name in &self.path {
            // An optional section is null until something is set in it.
            if !place.is_object() {
                *place = Value::Object(serde_json::Map::new());
            }
            place = &mut place[name.as_str()];
        }
        *place = self.value.clone();
    }
}

impl Sources {
    /// A file, if any, and the environment and flags of this process.
    pub fn new(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        // A variable that is no text is none of ours.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Sources { fallbacks: Vec::new(), file, environment, flags }
    }

    /// With a value for a key that has none in the file, the environment and the flags.
    #[must_use]
    pub fn fallback(mut self, key: &str, value: impl Into<String>) -> Self {
        self.fallbacks.push((key.to_owned(), value.into()));
        self
    }

    /// All values that are given for known keys, the weakest first; problems for the others.
    pub(super) fn read(&self, keys: &Keys, problems: &mut Vec<Problem>) -> Result<Vec<Given>, ConfigError> {
        let mut reader = Reader { keys, given: Vec::new(), problems };
        for (key, text) in &self.fallbacks {
            reader.text(key, text, "default");
        }
        if let Some(path) = &self.file {
            let origin = path.display().to_string();
            let text =
                fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
            let table = File::from_str(&text, FileFormat::Toml)
                .collect()
                .map_err(|source| ConfigError::Syntax { path: path.clone(), source: Box::new(source) })?;
            reader.table(&[], json(ValueKind::from(table)), &origin);
        }
        for (key, (variable, text)) in self.variables()? {
            reader.text(&key, &text, &format!("`{variable}`"));
        }
        for (key, text) in &self.flags {
            reader.text(key, text, "flag");
        }
        Ok(reader.given)
    }

    /// The variables that count: by dotted key, their name and value.
    fn variables(&self) -> Result<BTreeMap<String, (String, String)>, ConfigError> {
        let source = self.environment.iter().cloned().collect();
        let environment =
            Environment::with_prefix(PREFIX).prefix_separator(SEPARATOR).separator(SEPARATOR).source(Some(source));
        let found = environment.collect().map_err(|source| ConfigError::Syntax {
            path: PathBuf::from("the environment"),
            source: Box::new(source),
        })?;
        let variables = found.into_iter().map(|(key, value)| {
            let name = format!("{PREFIX}{SEPARATOR}{}", key.replace('.', SEPARATOR).to_uppercase());
            (key, (name, value.into_string().unwrap_or_default()))
        });
        Ok(variables.collect())
    }
}

/// Sorts values into those of known keys, and problems.
struct Reader<'a> {
    keys: &'a Keys,
    given: Vec<Given>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn table(&mut self, above: &[String], table: Value, origin: &str) {
        let Value::Object(table) = table else { return };
        for (name, value) in table {
            let path = [above, &[name]].concat();
            let key = path.join(".");
            match self.keys.get(&key) {
                _ if self.keys.is_foreign(&key) => {}
                None => self.unknown(&key, origin),
                Some(known) if known.section && value.is_object() => self.table(&path, value, origin),
                Some(known) if known.section => self.not_a_section(&key, &explain::found(&value), origin),
                Some(_) => self.given.push(Given { path, value, origin: origin.to_owned() }),
            }
        }
    }

    fn text(&mut self, key: &str, text: &str, origin: &str) {
        if self.keys.is_foreign(key) {
            return;
        }
        let split = |key: &str| key.split('.').map(str::to_owned).collect::<Vec<_>>();
        let origin = origin.to_owned();
        match (self.keys.get(key), self.keys.open_above(key)) {
            (Some(known), _) if known.section => self.not_a_section(key, &explain::found(&Value::from(text)), &origin),
            (Some(known), _) => self.given.push(Given { path: split(key), value: parse(text, known), origin }),
            (None, Some(open)) => {
                // What is below belongs to the user, dots and all.
                let mut path = split(open);
                path.push(key[open.len() + 1..].to_owned());
                self.given.push(Given { path, value: Value::from(text), origin });
            }
            (None, None) => self.unknown(key, &origin),
        }
    }

    fn unknown(&mut self, key: &str, origin: &str) {
        let text = match self.keys.nearest(key) {
            Some(nearest) => format!("unknown key; did you mean `{nearest}`?"),
            None => "unknown key".to_owned(),
        };
        self.problems.push(Problem::new(key, Some(origin.to_owned()), text));
    }

    fn not_a_section(&mut self, key: &str, found: &str, origin: &str) {
        let within: Vec<String> = self.keys.within(key).map(|name| format!("`{name}`")).collect();
        let text = format!("expected a section with {}, found {found}", within.join(", "));
        self.problems.push(Problem::new(key, Some(origin.to_owned()), text));
    }
}

/// The value that a text is for a key; the text itself where it cannot be what the key wants, which is told later.
fn parse(text: &str, key: &Key) -> Value {
    if key.types.iter().any(|name| name == "array" || name == "object")
        && let Ok(mut table) = text_as_toml(text)
        && let Some(value) = table.remove("value")
    {
        return value;
    }
    if key.types.iter().any(|name| name == "array") {
        let elements = text.split(',').map(str::trim).filter(|element| !element.is_empty());
        return elements.map(|element| parse_as(element, &key.element_types)).collect();
    }
    parse_as(text, &key.types)
}

fn text_as_toml(text: &str) -> Result<serde_json::Map<String, Value>, config::ConfigError> {
    let table = File::from_str(&format!("value = {text}"), FileFormat::Toml).collect()?;
    Ok(table.into_iter().map(|(name, value)| (name, json(value.kind))).collect())
}

fn parse_as(text: &str, types: &[String]) -> Value {
    let number = |name: &String| match name.as_str() {
        "integer" => text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok(),
        "number" => text.parse::<f64>().map(Value::from).ok(),
        "boolean" => text.parse::<bool>().map(Value::from).ok(),
        _ => None,
    };
    types.iter().find_map(number).unwrap_or_else(|| Value::from(text))
}

fn json(kind: ValueKind) -> Value {
    match kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(value) => Value::from(value),
        ValueKind::I64(value) => Value::from(value),
        ValueKind::U64(value) => Value::from(value),
        ValueKind::I128(value) => Value::from(value.to_string()),
        ValueKind::U128(value) => Value::from(value.to_string()),
        // What is no finite number has no JSON; as text it is refused with its name.
        ValueKind::Float(value) if !value.is_finite() => Value::from(value.to_string()),
        ValueKind::Float(value) => Value::from(value),
        ValueKind::String(value) => Value::from(value),
        ValueKind::Table(table) => table.into_iter().map(|(name, value)| (name, json(value.kind))).collect(),
        ValueKind::Array(values) => values.into_iter().map(|value| json(value.kind)).collect(),
    }
}
