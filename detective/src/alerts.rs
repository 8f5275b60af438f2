//! `detective alerts`: prints the events in the alerts topic.

use std::time::Duration;

use bus::{BusError, Cursor, Delivery, Page};
use clap::Args;
use schemas::{RootCauseEvent, Timestamp, Topic};
use scorer::printer::Printer;
use service::Hint;

use crate::config::{Config, open_existing_bus};

/// Records per read.
const PAGE_SIZE: usize = 256;
/// How long a read waits for new records.
const FOLLOW_WAIT: Duration = Duration::from_secs(3600);

/// Flags of `alerts`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  detective alerts --since 10m
  detective alerts --follow --json | jq .summary")]
pub struct AlertsArgs {
    /// Print JSON, one object per line.
    #[arg(long)]
    pub json: bool,
    /// Wait for new events after the present ones.
    #[arg(long)]
    pub follow: bool,
    /// Print only events of the last TIME, such as `10m` or `2h`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub since: Option<Duration>,
}

/// Prints events, oldest first.
///
/// # Errors
/// If the bus cannot be read.
pub async fn run(config: Config, args: &AlertsArgs) -> anyhow::Result<()> {
    let bus = open_existing_bus(&config).await?;
    let since = args.since.map(|since| Timestamp::now().saturating_sub(since));
    let printer = Printer::new(args.json);
    let mut cursor = Cursor::start(Topic::Alerts);
    loop {
        let wait = if args.follow { FOLLOW_WAIT } else { Duration::ZERO };
        let Page { deliveries, next } = bus.read(&cursor, PAGE_SIZE, wait).await.hint_from(BusError::hint)?;
        cursor = next;
        if deliveries.is_empty() && !args.follow {
            return Ok(());
        }
        for event in decode_events(&deliveries).filter(|event| since.is_none_or(|since| event.time >= since)) {
            if !printer.print(&event) {
                return Ok(());
            }
        }
    }
}

/// Decodes events. Other records are skipped with a warning.
fn decode_events(deliveries: &[Delivery]) -> impl Iterator<Item = RootCauseEvent> {
    deliveries.iter().filter_map(|delivery| match schemas::decode::<RootCauseEvent>(&delivery.value) {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::warn!(offset = delivery.offset, %error, "invalid record in the alerts topic skipped");
            None
        }
    })
}
