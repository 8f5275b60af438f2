//! The given values and their origins.

use std::{collections::BTreeMap, fs, path::PathBuf};

use config::{Environment, File, FileFormat, Source, ValueKind};
use serde_json::Value;

use super::{
    keys::Keys,
    messages,
    problems::{ConfigError, Problem},
    values,
};

const PREFIX: &str = "DETECTIVE";
const SEPARATOR: &str = "__";

/// The sources of values; a later field overrides an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Dotted keys and values that replace defaults which depend on the machine.
    pub fallbacks: Vec<(String, String)>,
    /// A TOML file, which must exist.
    pub file: Option<PathBuf>,
    /// Environment variables; only those named `DETECTIVE__SECTION__KEY` are used.
    pub environment: Vec<(String, String)>,
    /// Settings from command-line flags: the dotted key, such as `sweep.every`, and the value.
    pub flags: Vec<(String, String)>,
}

/// A value from one of the sources.
pub struct GivenValue {
    path: Vec<String>,
    value: Value,
    /// The file, environment variable or flag.
    pub origin: String,
}

impl GivenValue {
    /// The dotted key.
    pub fn key(&self) -> String {
        self.path.join(".")
    }

    /// Inserts the value into a tree of settings.
    pub fn insert_into(&self, tree: &mut Value) {
        let mut target = tree;
        for name in &self.path {
            // An optional section is null until one of its keys is set.
            if !target.is_object() {
                *target = Value::Object(serde_json::Map::new());
            }
            target = &mut target[name.as_str()];
        }
        *target = self.value.clone();
    }
}

impl Sources {
    /// A file, the environment of this process, and flags.
    pub fn new(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        // Our variables are valid UTF-8.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Sources { fallbacks: Vec::new(), file, environment, flags }
    }

    /// Adds the value of a key that neither the file, the environment nor a flag sets.
    #[must_use]
    pub fn with_fallback(mut self, key: &str, value: impl Into<String>) -> Self {
        self.fallbacks.push((key.to_owned(), value.into()));
        self
    }

    /// Returns the values of known keys, in the order in which they override each other. Adds a
    /// problem for each other key.
    pub(super) fn read(&self, keys: &Keys, problems: &mut Vec<Problem>) -> Result<Vec<GivenValue>, ConfigError> {
        let mut reader = Reader { keys, given: Vec::new(), problems };
        for (key, text) in &self.fallbacks {
            reader.add_text(key, text, "default");
        }
        if let Some(path) = &self.file {
            let origin = path.display().to_string();
            let text =
                fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
            let table = File::from_str(&text, FileFormat::Toml)
                .collect()
                .map_err(|source| ConfigError::Syntax { path: path.clone(), source: Box::new(source) })?;
            reader.add_table(&[], values::to_json(ValueKind::from(table)), &origin);
        }
        for (key, (variable, text)) in self.variables()? {
            reader.add_text(&key, &text, &format!("`{variable}`"));
        }
        for (key, text) in &self.flags {
            reader.add_text(key, text, "flag");
        }
        Ok(reader.given)
    }

    /// The environment variables of settings, as names and values by dotted key.
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

/// Separates values of known keys from problems.
struct Reader<'a> {
    keys: &'a Keys,
    given: Vec<GivenValue>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn add_table(&mut self, above: &[String], table: Value, origin: &str) {
        let Value::Object(table) = table else { return };
        for (name, value) in table {
            let path = [above, &[name]].concat();
            let key = path.join(".");
            match self.keys.get(&key) {
                _ if self.keys.is_foreign(&key) => {}
                None => self.reject_unknown(&key, origin),
                Some(known) if known.is_section && value.is_object() => self.add_table(&path, value, origin),
                Some(known) if known.is_section => self.reject_section_value(&key, &value, origin),
                Some(_) => self.given.push(GivenValue { path, value, origin: origin.to_owned() }),
            }
        }
    }

    fn add_text(&mut self, key: &str, text: &str, origin: &str) {
        if self.keys.is_foreign(key) {
            return;
        }
        let split = |key: &str| key.split('.').map(str::to_owned).collect::<Vec<_>>();
        let origin = origin.to_owned();
        match (self.keys.get(key), self.keys.free_table_above(key)) {
            (Some(known), _) if known.is_section => self.reject_section_value(key, &Value::from(text), &origin),
            (Some(known), _) => {
                self.given.push(GivenValue { path: split(key), value: values::parse(text, known), origin })
            }
            (None, Some(table)) => {
                // The rest is one key that the user chose, and may contain dots.
                let mut path = split(table);
                path.push(key[table.len() + 1..].to_owned());
                self.given.push(GivenValue { path, value: Value::from(text), origin });
            }
            (None, None) => self.reject_unknown(key, &origin),
        }
    }

    fn reject_unknown(&mut self, key: &str, origin: &str) {
        let text = match self.keys.closest_to(key) {
            Some(closest) => format!("unknown key; did you mean `{closest}`?"),
            None => "unknown key".to_owned(),
        };
        self.problems.push(Problem::new(key, Some(origin.to_owned()), text));
    }

    fn reject_section_value(&mut self, key: &str, value: &Value, origin: &str) {
        let keys: Vec<String> = self.keys.in_section(key).map(|name| format!("`{name}`")).collect();
        let found = messages::describe(value);
        let text = format!("expected a section with {}, found {found}", keys.join(", "));
        self.problems.push(Problem::new(key, Some(origin.to_owned()), text));
    }
}
