//! A change of an incident.

use schemas::{Incident, RootCauseEvent};

/// A change of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Event for the alerts topic.
    pub event: RootCauseEvent,
    /// State of the incident after the event, for the incidents topic.
    pub incident: Incident,
}
