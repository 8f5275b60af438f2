//! All that is known of one incident.

use std::fmt::Write;

use anyhow::bail;
use clap::Args;
use schemas::{EventKind, RootCauseEvent, Topic};
use scorer::{printer::stdout_colour, render};

use crate::{config::Config, output::print};

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The incident's id, or its first digits, or `last`.
    pub incident: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Prints the incident's latest event that tells of suspects, and how it went on.
///
/// # Errors
/// If no incident, or more than one, has such an id.
pub async fn run(config: Config, args: &ExplainArgs) -> anyhow::Result<()> {
    let bus = crate::config::open_existing(&config).await?;
    let mut events: Vec<RootCauseEvent> = Vec::new();
    bus::for_each(bus.as_ref(), Topic::Alerts, |delivery| events.extend(schemas::decode(&delivery.value).ok())).await?;
    let id = choose(&events, &args.incident)?;
    events.retain(|event| event.incident == id);
    let Some(latest) = events.iter().rev().find(|event| event.event != EventKind::Resolved).or(events.last()) else {
        bail!("no incident is known");
    };
    if args.json {
        return print(&format!("{}\n", serde_json::to_string(latest)?));
    }
    let mut text = render::render_explanation(latest, stdout_colour());
    for event in &events {
        let _ = writeln!(text, "  {}  {}", event.time, event.event);
    }
    print(&text)
}

fn choose(events: &[RootCauseEvent], asked: &str) -> anyhow::Result<String> {
    if asked == "last" {
        return match events.last() {
            Some(event) => Ok(event.incident.clone()),
            None => bail!("no incident is known"),
        };
    }
    let mut ids: Vec<&str> =
        events.iter().map(|event| event.incident.as_str()).filter(|id| id.starts_with(asked)).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => bail!("no incident has an id that begins with `{asked}`; `detective alerts` lists them"),
        several => bail!("`{asked}` may be any of {}: give more digits", several.join(", ")),
    }
}
