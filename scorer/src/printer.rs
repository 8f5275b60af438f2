//! Prints events on standard output, for people or as JSON.

use std::io::{Write, stdout};

use schemas::RootCauseEvent;

use crate::render::{self, Colour};

/// Whether to use colours on standard output: only on a terminal, and not if `NO_COLOR` is set.
pub fn stdout_colour() -> Colour {
    if service::report::should_colour(&stdout()) { Colour::On } else { Colour::Off }
}

/// Prints events on standard output.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
    colour: Colour,
}

impl Printer {
    /// A printer of text for people, or with `json` of one JSON object per line.
    pub fn new(json: bool) -> Printer {
        Printer { json, colour: stdout_colour() }
    }

    /// Prints an event and flushes. Returns false if standard output is closed.
    pub fn print(&self, event: &RootCauseEvent) -> bool {
        let text = match self.json {
            true => serde_json::to_string(event).unwrap_or_default() + "\n",
            false => render::render_event(event, self.colour),
        };
        let mut out = stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    }
}
