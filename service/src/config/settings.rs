//! The trait that settings implement.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::problems::Problems;

/// The settings of a program: nested structs with defaults that reject unknown fields.
pub trait Settings: Default + Serialize + DeserializeOwned + JsonSchema {
    /// Top-level keys that only other programs use. Their contents are not checked.
    const FOREIGN: &'static [&'static str] = &[];

    /// Checks ranges, and fields against each other. Does no I/O.
    fn check(&self, problems: &mut Problems);
}
