//! What is wrong.

use std::{collections::BTreeMap, fmt, io, path::PathBuf};

use thiserror::Error;

/// Why there is no configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("cannot understand `{}`", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong there.
        source: Box<config::ConfigError>,
    },
    /// Values are wrong.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// The defaults cannot be written as text: a mistake in the program.
    #[error("the defaults of the configuration cannot be written")]
    Defaults {
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// The filter of the logs is none.
    #[error("expected a log filter such as `info,scorer=debug` in `DETECTIVE_LOG`, found `{found}`")]
    LogFilter {
        /// The filter that was given.
        found: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
}

fn list(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "1 problem in the configuration:".to_owned(),
        count => format!("{count} problems in the configuration:"),
    };
    for problem in problems {
        text.push_str(&format!("\n  {problem}"));
    }
    text
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, with dots; empty where no single one is to blame.
    pub key: String,
    /// The file, environment variable or flag that gave the value; none for a default.
    pub origin: Option<String>,
    /// What is wrong.
    pub text: String,
}

impl Problem {
    pub(crate) fn new(key: impl Into<String>, origin: Option<String>, text: impl Into<String>) -> Self {
        Problem { key: key.into(), origin, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return f.write_str(&self.text);
        }
        write!(f, "{} ({}): {}", self.key, self.origin.as_deref().unwrap_or("default"), self.text)
    }
}

/// Takes the problems that a program finds in values that can be read.
#[derive(Debug, Default)]
pub struct Problems {
    origins: BTreeMap<String, String>,
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(origins: BTreeMap<String, String>) -> Self {
        Problems { origins, list: Vec::new() }
    }

    /// Adds one; `key` with dots, `text` as in "must be less than `sweep.every`".
    pub fn add(&mut self, key: impl Into<String>, text: impl Into<String>) {
        let key = key.into();
        let origin = self.origins.get(&key).cloned();
        self.list.push(Problem { key, origin, text: text.into() });
    }

    /// Adds those of a section, whose keys are within it.
    pub fn add_section<K: AsRef<str>>(&mut self, section: &str, problems: impl IntoIterator<Item = (K, String)>) {
        for (key, text) in problems {
            self.add(format!("{section}.{}", key.as_ref()), text);
        }
    }

    /// Those that were added so far.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    pub(crate) fn into_list(self) -> Vec<Problem> {
        self.list
    }
}
