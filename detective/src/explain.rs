//! `detective explain`: prints all evidence of one incident.

use std::fmt::Write;

use anyhow::bail;
use clap::Args;
use schemas::{EventKind, RootCauseEvent, Topic};
use scorer::{printer::stdout_colour, render};

use crate::{
    config::{Config, open_existing_bus},
    output::print,
};

/// Flags of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  detective explain 3f9c2a1b          the first digits of an incident's id are enough
  detective explain last")]
pub struct ExplainArgs {
    /// Id of the incident, its first digits, or `last`.
    pub incident: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Prints the latest event of an incident that has suspects, and the times of all its events.
///
/// # Errors
/// If no incident, or more than one, has such an id.
pub async fn run(config: Config, args: &ExplainArgs) -> anyhow::Result<()> {
    let bus = open_existing_bus(&config).await?;
    let mut events: Vec<RootCauseEvent> = Vec::new();
    bus::for_each(bus.as_ref(), Topic::Alerts, |delivery| events.extend(schemas::decode(&delivery.value).ok())).await?;
    let id = find_incident(&events, &args.incident)?;
    events.retain(|event| event.incident == id);
    let Some(latest) = events.iter().rev().find(|event| event.event != EventKind::Resolved).or(events.last()) else {
        bail!("no incidents yet");
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

/// The id of the incident that `prefix` identifies.
fn find_incident(events: &[RootCauseEvent], prefix: &str) -> anyhow::Result<String> {
    if prefix == "last" {
        return match events.last() {
            Some(event) => Ok(event.incident.clone()),
            None => bail!("no incidents yet"),
        };
    }
    let mut ids: Vec<&str> =
        events.iter().map(|event| event.incident.as_str()).filter(|id| id.starts_with(prefix)).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => bail!("no incident has an id that begins with `{prefix}`; `detective alerts` lists them"),
        several => bail!("`{prefix}` is ambiguous: give more digits of {}", several.join(", ")),
    }
}
