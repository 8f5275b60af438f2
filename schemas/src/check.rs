//! Checks of a record's identity and numbers before the record takes effect.
//!
//! A record that decodes can still claim another host than its key, or carry a number that would
//! shut out all later records. What a graph or a model contains is checked where it is read.

use std::time::Duration;

use thiserror::Error;

use crate::{GraphSnapshot, HealthySnapshot, ModelRelease, Timestamp};

/// Longest host id, cohort and run, in bytes. State is kept for each of them.
pub const MAX_NAME_BYTES: usize = 255;
/// Largest accepted difference between the clocks of two programs. A later time in a record is in
/// the future.
pub const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(24 * 3600);

/// Why a record must not take effect.
#[derive(Debug, Error, PartialEq)]
pub enum InvalidRecord {
    /// A field differs from the record's key, or from the same field of the record inside.
    #[error("expected {field} `{expected}` as in {origin}, found `{found}`")]
    Identity {
        /// Name of the field.
        field: &'static str,
        /// Where the expected value is from.
        origin: &'static str,
        /// The expected value.
        expected: String,
        /// Value of the field.
        found: String,
    },
    /// A name is empty or too long.
    #[error("expected a {field} of 1 to {MAX_NAME_BYTES} bytes, found {found} bytes")]
    Length {
        /// Name of the field.
        field: &'static str,
        /// Length in bytes.
        found: usize,
    },
    /// A number is out of its range.
    #[error("expected {expected} for {field}, found {found}")]
    Range {
        /// Name of the field.
        field: &'static str,
        /// The range in words.
        expected: &'static str,
        /// The number.
        found: String,
    },
}

impl GraphSnapshot {
    /// Checks that the record is of the host that its key names.
    ///
    /// # Errors
    /// The first field that is invalid.
    pub fn check(&self, key: &str) -> Result<(), InvalidRecord> {
        check_equal("host", "the record's key", key, &self.host)?;
        check_name("host", &self.host)?;
        check_name("cohort", &self.cohort)?;
        check_name("run", &self.run)?;
        check(self.sequence >= 0, "sequence", "at least 0", self.sequence)
    }
}

impl HealthySnapshot {
    /// Checks that the record is of the host that its key names, and that generation and progress
    /// are possible at `now`.
    ///
    /// # Errors
    /// The first field that is invalid.
    pub fn check(&self, key: &str, now: Timestamp) -> Result<(), InvalidRecord> {
        check_equal("host", "the record's key", key, &self.host)?;
        check_name("host", &self.host)?;
        check_name("cohort", &self.cohort)?;
        check_generation(self.generation, now)?;
        check(self.wanted >= 0, "wanted", "at least 0", self.wanted)?;
        check((0..=self.wanted).contains(&self.learned), "learned", "0 to `wanted`", self.learned)
    }
}

impl ModelRelease {
    /// Checks that the record is of the cohort that its key names, and that generation, times and
    /// figures of the training are possible at `now`.
    ///
    /// # Errors
    /// The first field that is invalid.
    pub fn check(&self, key: &str, now: Timestamp) -> Result<(), InvalidRecord> {
        check_equal("cohort", "the record's key", key, &self.cohort)?;
        check_name("cohort", &self.cohort)?;
        check_generation(self.generation, now)?;
        let created_at = self.created_at;
        check(is_past(created_at, now), "created_at", "a time that is not in the future", created_at)?;
        let manifest = &self.manifest;
        check(manifest.from <= manifest.until, "manifest.from", "a time not after `manifest.until`", manifest.from)?;
        let counts = [
            ("manifest.parameters", manifest.parameters),
            ("manifest.epochs", i64::from(manifest.epochs)),
            ("manifest.fitted", manifest.fitted),
            ("manifest.calibrated", manifest.calibrated),
        ];
        for (field, count) in counts {
            check(count >= 0, field, "at least 0", count)?;
        }
        for (field, loss) in [("manifest.loss_first", manifest.loss_first), ("manifest.loss_last", manifest.loss_last)]
        {
            check(loss.is_finite(), field, "a finite number", loss)?;
        }
        Ok(())
    }
}

/// A generation is 0, or the time of a relearn in milliseconds. One in the future would shut out
/// all later ones.
fn check_generation(generation: i64, now: Timestamp) -> Result<(), InvalidRecord> {
    let is_possible = generation >= 0 && is_past(Timestamp(generation), now);
    check(is_possible, "generation", "0 or the time of a relearn in milliseconds, not in the future", generation)
}

fn is_past(time: Timestamp, now: Timestamp) -> bool {
    time <= now.saturating_add(MAX_CLOCK_DIFFERENCE)
}

fn check_name(field: &'static str, name: &str) -> Result<(), InvalidRecord> {
    match name.len() {
        1..=MAX_NAME_BYTES => Ok(()),
        found => Err(InvalidRecord::Length { field, found }),
    }
}

fn check_equal(field: &'static str, origin: &'static str, expected: &str, found: &str) -> Result<(), InvalidRecord> {
    if expected == found {
        return Ok(());
    }
    Err(InvalidRecord::Identity { field, origin, expected: shorten(expected), found: shorten(found) })
}

/// The start of a name: the message becomes a header of the dead letter.
fn shorten(name: &str) -> String {
    name.chars().take(MAX_NAME_BYTES).collect()
}

fn check(
    is_valid: bool,
    field: &'static str,
    expected: &'static str,
    found: impl ToString,
) -> Result<(), InvalidRecord> {
    if is_valid { Ok(()) } else { Err(InvalidRecord::Range { field, expected, found: found.to_string() }) }
}
