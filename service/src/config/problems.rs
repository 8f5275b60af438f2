//! Errors and problems of settings.

use std::{collections::BTreeMap, fmt, io, path::PathBuf};

use thiserror::Error;

/// Why settings cannot be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("cannot parse `{}`", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The position and the problem there.
        source: Box<config::ConfigError>,
    },
    /// Keys are unknown or values invalid.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// The defaults cannot be serialized: a mistake in the program.
    #[error("cannot serialize the default settings")]
    Defaults {
        /// The cause.
        source: serde_json::Error,
    },
    /// `DETECTIVE_LOG` is not a log filter.
    #[error("expected a log filter such as `info,scorer=debug` in `DETECTIVE_LOG`, found `{found}`")]
    LogFilter {
        /// The value of the variable.
        found: String,
        /// The cause.
        source: tracing_subscriber::filter::ParseError,
    },
}

fn list(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "1 problem in the settings:".to_owned(),
        count => format!("{count} problems in the settings:"),
    };
    for problem in problems {
        text.push_str(&format!("\n  {problem}"));
    }
    text
}

/// One problem of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The dotted key; empty if the problem is not in a single key.
    pub key: String,
    /// The file, environment variable or flag that set the value. `None`: the default.
    pub origin: Option<String>,
    /// The problem, such as ``must be less than `sweep.every` ``.
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

/// Collects the problems that [`Settings::check`](super::Settings::check) finds.
#[derive(Debug, Default)]
pub struct Problems {
    origins: BTreeMap<String, String>,
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(origins: BTreeMap<String, String>) -> Self {
        Problems { origins, list: Vec::new() }
    }

    /// Adds a problem of a dotted key; `text` continues a sentence, such as ``must be less than
    /// `sweep.every` ``.
    pub fn add(&mut self, key: impl Into<String>, text: impl Into<String>) {
        let key = key.into();
        let origin = self.origins.get(&key).cloned();
        self.list.push(Problem { key, origin, text: text.into() });
    }

    /// Adds problems whose keys are relative to `section`.
    pub fn add_section<K: AsRef<str>>(&mut self, section: &str, problems: impl IntoIterator<Item = (K, String)>) {
        for (key, text) in problems {
            self.add(format!("{section}.{}", key.as_ref()), text);
        }
    }

    /// The problems so far.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    pub(crate) fn into_list(self) -> Vec<Problem> {
        self.list
    }
}
