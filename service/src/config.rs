//! Keys from a file, the environment and flags, checked together; and their manual.
//!
//! A later source overrides an earlier one: defaults, TOML file, environment, flags. Several programs can have one file:
//! each checks what it owns, and all refuse what nobody owns.
//!
//! - `keys`: which keys there are
//! - `sources`: what was given
//! - `explain`: what a deserializer says, as a person would
//! - `problems`: what is wrong
//! - `reference`: the manual

mod explain;
mod keys;
mod problems;
mod reference;
mod sources;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use problems::{ConfigError, Problem, Problems};
pub use reference::reference;
pub use sources::Sources;

use keys::Keys;
use sources::Given;

/// The configuration of a program: nested structs that refuse unknown fields and have defaults.
pub trait Settings: Default + Serialize + DeserializeOwned + JsonSchema {
    /// The top-level keys that other programs own where all have one file: whatever they hold is theirs to check.
    const FOREIGN: &'static [&'static str] = &[];

    /// Checks ranges, and fields against each other. No I/O.
    fn check(&self, problems: &mut Problems);
}

/// The defaults with all that the sources give on top, or every problem that there is.
pub fn load<S: Settings>(sources: Sources) -> Result<S, ConfigError> {
    let defaults = serde_json::to_value(S::default()).map_err(|source| ConfigError::Defaults { source })?;
    let keys = Keys::of::<S>(&defaults);
    let mut found = Vec::new();
    let given = sources.read(&keys, &mut found)?;
    let (good, bad) = try_each::<S>(&defaults, given);
    found.extend(bad);

    let mut tree = defaults;
    for given in &good {
        given.put_into(&mut tree);
    }
    let settings: S = match serde_json::from_value(tree) {
        Ok(settings) => settings,
        // Each value was fine on its own, so they do not go together.
        Err(error) => {
            found.push(Problem::new("", None, explain::explain(&error.to_string())));
            return Err(ConfigError::Problems(found));
        }
    };
    let origins: BTreeMap<String, String> = good.into_iter().map(|given| (given.key(), given.origin)).collect();
    let mut problems = Problems::new(origins);
    settings.check(&mut problems);
    // The default stands in for a value that could not be read; what is wrong with it would confuse.
    let unread: Vec<String> = found.iter().map(|problem| problem.key.clone()).collect();
    found.extend(problems.into_list().into_iter().filter(|problem| !unread.contains(&problem.key)));
    if found.is_empty() { Ok(settings) } else { Err(ConfigError::Problems(found)) }
}

/// Tries each value alone on top of the defaults: a deserializer stops at its first error, people want all of them.
fn try_each<S: Settings>(defaults: &Value, given: Vec<Given>) -> (Vec<Given>, Vec<Problem>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for given in given {
        let mut tree = defaults.clone();
        given.put_into(&mut tree);
        match serde_json::from_value::<S>(tree) {
            Ok(_) => good.push(given),
            Err(error) => {
                let text = explain::explain(&error.to_string());
                bad.push(Problem::new(given.key(), Some(given.origin), text));
            }
        }
    }
    (good, bad)
}
