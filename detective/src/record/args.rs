//! What is recorded, and where it goes.

use std::{path::PathBuf, time::Duration};

use clap::Args;

/// Flags of `record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The file to make: an Avro object container file.
    pub file: PathBuf,
    /// Record what comes for this long, as in `10m`, and not what is there; with `--since`, both.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub span: Option<Duration>,
    /// Only snapshots of the last while, as in `10m` or `2h`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub since: Option<Duration>,
    /// Record what is there, and go on with what comes until a signal.
    #[arg(long, conflicts_with = "span")]
    pub follow: bool,
    /// Only snapshots of this host.
    #[arg(long, value_name = "ID")]
    pub host: Option<String>,
    /// Overwrite the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// Sweep this host, and record every answer of the kernel's: for a minute, or as `--for` or `--follow` say.
    ///
    /// The file names processes, paths, addresses and control groups as the kernel does. Of arguments and environments it holds what
    /// the parsers need, such as an interpreter's script, and no more.
    #[arg(long, conflicts_with_all = ["since", "host"])]
    pub proc: bool,
    /// Time between two sweeps of `--proc` [default: 1s].
    #[arg(long, value_name = "TIME", requires = "proc")]
    pub interval: Option<String>,
    /// Also write the snapshots that the sweeps of `--proc` give, to this file.
    #[arg(long, value_name = "FILE", requires = "proc")]
    pub snapshots: Option<PathBuf>,
    /// Record the snapshots that a file of `--proc` gives, and not what the bus holds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["proc", "span", "since", "follow", "host"])]
    pub from: Option<PathBuf>,
}

impl RecordArgs {
    /// The settings that these flags stand for.
    pub fn settings(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("sweep.interval", self.interval.clone())]
    }

    /// Whether what comes is recorded too.
    pub fn goes_on(&self) -> bool {
        self.follow || self.span.is_some()
    }
}
