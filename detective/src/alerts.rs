//! What the alerts topic holds, and what comes.

use std::time::{Duration, SystemTime};

use bus::{Bus, BusError, Cursor};
use clap::Args;
use schemas::{RootCauseEvent, Timestamp, Topic};
use scorer::printer::Printer;
use service::Hint;

use crate::config::Config;

/// Flags of `alerts`.
#[derive(Debug, Args)]
pub struct AlertsArgs {
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
    /// Go on with what comes.
    #[arg(long)]
    pub follow: bool,
    /// Only events of the last while, as in `10m` or `2h`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub since: Option<Duration>,
}

/// Prints events, oldest first.
///
/// # Errors
/// If the bus cannot be read.
pub async fn run(config: Config, args: &AlertsArgs) -> anyhow::Result<()> {
    let bus = crate::config::open_existing(&config).await?;
    #[expect(clippy::disallowed_methods, reason = "the user's \"ago\" counts from now")]
    let since = args.since.and_then(|since| SystemTime::now().checked_sub(since)).map(Timestamp::from);
    let printer = Printer::new(args.json);
    let mut cursor = Cursor::start(Topic::Alerts);
    loop {
        let wait = if args.follow { Duration::from_secs(3600) } else { Duration::ZERO };
        let page = read(bus.as_ref(), &cursor, wait).await?;
        cursor = page.next;
        if page.deliveries.is_empty() && !args.follow {
            return Ok(());
        }
        for event in events(&page.deliveries).filter(|event| since.is_none_or(|since| event.time >= since)) {
            if !printer.print(&event) {
                return Ok(());
            }
        }
    }
}

async fn read(bus: &dyn Bus, from: &Cursor, wait: Duration) -> anyhow::Result<bus::Page> {
    const PAGE: usize = 256;
    bus.read(from, PAGE, wait).await.hint_from(BusError::hint)
}

/// The events among deliveries; what is none is told and passed over.
fn events(deliveries: &[bus::Delivery]) -> impl Iterator<Item = RootCauseEvent> {
    deliveries.iter().filter_map(|delivery| match schemas::decode::<RootCauseEvent>(&delivery.value) {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::warn!(offset = delivery.offset, %error, "a record of the alerts topic is no event");
            None
        }
    })
}
