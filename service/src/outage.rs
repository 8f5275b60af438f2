//! Outages in the log: one line when an operation begins to fail, one when it works again.

use std::{
    error::Error,
    mem::{Discriminant, discriminant},
};

use crate::report::chain;

/// Logs the outages of one operation.
///
/// A failure is logged when it is the first one, or when its error differs in kind (enum variant)
/// from the one before. The recovery is logged once.
#[derive(Debug)]
pub struct OutageLog<E> {
    operation: &'static str,
    outage: Option<Outage<E>>,
}

#[derive(Debug)]
struct Outage<E> {
    last_error: Discriminant<E>,
    failures: u64,
}

impl<E: Error + 'static> OutageLog<E> {
    /// The log of `operation`, a verb phrase such as `read snapshots`.
    pub const fn new(operation: &'static str) -> OutageLog<E> {
        OutageLog { operation, outage: None }
    }

    /// Counts a failed attempt, and logs it with the error's causes and `hint`.
    pub fn failed(&mut self, error: &E, hint: Option<&str>) {
        let last_error = discriminant(error);
        let before = self.outage.take();
        if before.as_ref().is_none_or(|before| before.last_error != last_error) {
            tracing::warn!(operation = self.operation, error = %chain(error), hint, "operation failed; retrying");
        }
        let failures = before.map_or(0, |before| before.failures) + 1;
        self.outage = Some(Outage { last_error, failures });
    }

    /// Ends the outage, if there is one, and logs how many attempts failed.
    pub fn succeeded(&mut self) {
        if let Some(Outage { failures, .. }) = self.outage.take() {
            tracing::info!(operation = self.operation, failures, "operation recovered");
        }
    }
}
