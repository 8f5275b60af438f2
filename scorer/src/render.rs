//! Renders events as text for people. Everything that came from a monitored host or the bus is
//! cleaned, because escape sequences in it would be executed by the terminal.

use std::fmt::Write;

use schemas::{EventKind, RootCauseEvent, Suspect, text::clean};

/// Whether to use ANSI colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    On,
    /// For files and pipes.
    Off,
}

impl Colour {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Colour::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Colour::Off => text.to_owned(),
        }
    }
}

/// Number of reasons and of affected nodes that [`render_event`] shows.
const MAX_SHOWN: usize = 5;

/// Renders an event in a few lines.
pub fn render_event(event: &RootCauseEvent, colour: Colour) -> String {
    let (code, mark) = match event.event {
        EventKind::Opened => ("1;31", "▲"),
        EventKind::Updated => ("1;33", "△"),
        EventKind::Resolved => ("1;32", "▽"),
        EventKind::Stale => ("1;35", "◇"),
    };
    let headline = colour.paint(code, &format!("{mark} {}", event.event));
    let mut text = format!(
        "{}  {headline}  incident {} on {}  confidence {:.0} %\n",
        event.time,
        clean(&event.incident),
        clean(&event.host),
        event.confidence * 100.0
    );
    let _ = writeln!(text, "  {}", colour.paint("1", &clean(&event.summary)));
    if event.event != EventKind::Opened && event.event != EventKind::Updated {
        return text;
    }
    if let Some(suspect) = &event.initiating {
        write_suspect(&mut text, "initiating", suspect, MAX_SHOWN);
    }
    for suspect in event.impact.iter().take(MAX_SHOWN) {
        let stage = match &event.first_failure {
            Some(first) if first.pid == suspect.pid && first.name == suspect.name => "first failure",
            _ => "impact",
        };
        write_suspect(&mut text, stage, suspect, 1);
    }
    if event.impact.len() > MAX_SHOWN {
        let _ = writeln!(text, "  and {} more", event.impact.len() - MAX_SHOWN);
    }
    text
}

/// Renders an event with all suspects and reasons.
pub fn render_explanation(event: &RootCauseEvent, colour: Colour) -> String {
    let mut text = format!("{}\n", colour.paint("1", &clean(&event.summary)));
    let _ = writeln!(
        text,
        "incident {} on {}: {} at {}",
        clean(&event.incident),
        clean(&event.host),
        event.event,
        event.time
    );
    let _ = writeln!(text, "confidence {:.0} %", event.confidence * 100.0);
    if let Some(previous) = &event.previous {
        let _ = writeln!(text, "recurrence of incident {}", clean(previous));
    }
    match &event.initiating {
        Some(suspect) => write_suspect(&mut text, "initiating", suspect, usize::MAX),
        None => text.push_str("  initiating     unknown\n"),
    }
    if let Some(suspect) = &event.first_failure {
        write_suspect(&mut text, "first failure", suspect, usize::MAX);
    }
    for suspect in &event.impact {
        write_suspect(&mut text, "impact", suspect, 2);
    }
    text
}

fn write_suspect(text: &mut String, stage: &str, suspect: &Suspect, n_reasons: usize) {
    let pid = suspect.pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
    let location = suspect
        .path
        .as_ref()
        .or(suspect.endpoint.as_ref())
        .map(|location| format!("  {}", clean(location)))
        .unwrap_or_default();
    let _ = writeln!(
        text,
        "  {stage:<14} {} {}{pid}{location}  ({})",
        clean(suspect.kind.as_str()),
        clean(&suspect.name),
        clean(&suspect.role)
    );
    for reason in suspect.why.iter().take(n_reasons) {
        let source = if reason.source.is_empty() { String::new() } else { format!("  [{}]", clean(&reason.source)) };
        // The source of raw evidence ends with its text.
        let has_text_in_source = reason.source.ends_with(&reason.text);
        match has_text_in_source {
            true => _ = writeln!(text, "                 {}", clean(&reason.source)),
            false => _ = writeln!(text, "                 {}{source}", clean(&reason.text)),
        }
    }
}
