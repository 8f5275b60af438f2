//! The flags of `detective record`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

/// Flags of `record`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  detective record before.avro              the snapshots on the bus now
  detective record night.avro --for 8h      the snapshots of the next eight hours
  detective record web.avro --since 10m --host web-1
  detective record --proc raw.avro --for 1m
                                            everything that sweeps read in a minute
  detective record again.avro --from raw.avro
                                            the snapshots of these sweeps")]
pub struct RecordArgs {
    /// File to create, an Avro object container file.
    pub file: PathBuf,
    /// Record new snapshots for this long, such as `10m`. With `--since`, present ones too.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Record only snapshots of the last TIME, such as `10m` or `2h`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub since: Option<Duration>,
    /// Record present snapshots, and new ones until a signal.
    #[arg(long, conflicts_with = "duration")]
    pub follow: bool,
    /// Record only snapshots of this host.
    #[arg(long, value_name = "ID")]
    pub host: Option<String>,
    /// Overwrite an existing file.
    #[arg(long)]
    pub force: bool,
    /// Sweep this host and record all raw reads, for a minute or as `--for` or `--follow` say.
    ///
    /// The file contains names of processes, paths, addresses and control groups. Of arguments and
    /// environments it contains only what the parsers need, such as the script of an interpreter.
    #[arg(long, conflicts_with_all = ["since", "host"])]
    pub proc: bool,
    /// Time between two sweeps of `--proc` [default: 1s].
    #[arg(long, value_name = "TIME", requires = "proc")]
    pub interval: Option<String>,
    /// Also record the snapshots of the sweeps of `--proc`, to this file.
    #[arg(long, value_name = "FILE", requires = "proc")]
    pub snapshots: Option<PathBuf>,
    /// Record the snapshots of a file of raw reads, instead of the bus.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["proc", "duration", "since", "follow", "host"])]
    pub from: Option<PathBuf>,
}

impl RecordArgs {
    /// Keys and values of the settings that these flags override.
    pub fn settings(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("sweep.interval", self.interval.clone())]
    }

    /// Whether to wait for new snapshots.
    pub fn waits(&self) -> bool {
        self.follow || self.duration.is_some()
    }
}
