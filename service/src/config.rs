//! Settings from a file, the environment and flags, checked together; and their manual.
//!
//! A later source overrides an earlier one: defaults, TOML file, environment, flags. Several
//! programs can share one file: each checks the sections it owns, ignores those that other programs
//! own, and rejects all others.
//!
//! - `settings`: the trait that settings implement
//! - `keys`: the known keys, from the JSON schema of the settings
//! - `sources`: the given values and their origins
//! - `values`: text from the environment and flags as values
//! - `messages`: serde's messages in plain words
//! - `problems`: errors and problems
//! - `reference`: the manual

mod edit_distance;
mod keys;
mod messages;
mod problems;
mod reference;
mod settings;
mod sources;
mod values;

use std::collections::BTreeMap;

use serde_json::Value;

pub use problems::{ConfigError, Problem, Problems};
pub use reference::reference;
pub use settings::Settings;
pub use sources::Sources;

use keys::Keys;
use sources::GivenValue;

/// Loads the settings: the defaults, overridden by the values of `sources`.
///
/// # Errors
/// All problems at once, if there are any.
pub fn load<S: Settings>(sources: Sources) -> Result<S, ConfigError> {
    let defaults = serde_json::to_value(S::default()).map_err(|source| ConfigError::Defaults { source })?;
    let keys = Keys::from_schema::<S>(&defaults);
    let mut found = Vec::new();
    let given = sources.read(&keys, &mut found)?;
    let (valid, invalid) = check_each::<S>(&defaults, given);
    found.extend(invalid);

    let mut tree = defaults;
    for value in &valid {
        value.insert_into(&mut tree);
    }
    let settings: S = match serde_json::from_value(tree) {
        Ok(settings) => settings,
        // Each value is valid by itself, so their combination is not.
        Err(error) => {
            found.push(Problem::new("", None, messages::rephrase(&error.to_string())));
            return Err(ConfigError::Problems(found));
        }
    };
    let origins: BTreeMap<String, String> = valid.into_iter().map(|value| (value.key(), value.origin)).collect();
    let mut problems = Problems::new(origins);
    settings.check(&mut problems);
    // The default stands in for an invalid value: its problems would confuse the reader.
    let invalid_keys: Vec<String> = found.iter().map(|problem| problem.key.clone()).collect();
    found.extend(problems.into_list().into_iter().filter(|problem| !invalid_keys.contains(&problem.key)));
    if found.is_empty() { Ok(settings) } else { Err(ConfigError::Problems(found)) }
}

/// Tries each value alone on top of the defaults, because a deserializer stops at its first error.
fn check_each<S: Settings>(defaults: &Value, given: Vec<GivenValue>) -> (Vec<GivenValue>, Vec<Problem>) {
    let mut valid = Vec::new();
    let mut invalid = Vec::new();
    for value in given {
        let mut tree = defaults.clone();
        value.insert_into(&mut tree);
        match serde_json::from_value::<S>(tree) {
            Ok(_) => valid.push(value),
            Err(error) => {
                let text = messages::rephrase(&error.to_string());
                invalid.push(Problem::new(value.key(), Some(value.origin), text));
            }
        }
    }
    (valid, invalid)
}
