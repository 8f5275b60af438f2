//! The flags of `detective replay`.

use std::path::PathBuf;

use clap::Args;

use super::pace::Speed;

/// Flags of `replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  detective replay night.avro --data /tmp/again
  detective replay night.avro --speed 60    an hour in a minute
  detective replay night.avro --speed max --hosts 100")]
pub struct ReplayArgs {
    /// A file that `detective record` created.
    pub file: PathBuf,
    /// Replay X times as fast as recorded, or with `max` as fast as the bus accepts records.
    #[arg(long, value_name = "X", default_value = "1", allow_negative_numbers = true)]
    pub speed: Speed,
    /// Publish N copies of each snapshot, as hosts `ID-1`, `ID-2` and so on.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_copies)]
    pub hosts: Option<u32>,
    /// Put all hosts into this cohort. Without it, a host with a cohort of its own keeps one, under
    /// its new name.
    #[arg(long, value_name = "NAME")]
    pub cohort: Option<String>,
}

fn parse_copies(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected the number of copies of each host, 1 or more".to_owned())
}
