//! `detective record`: records snapshots from the bus, or the raw reads of sweeps and the snapshots
//! that they make.

mod args;
mod bus;
mod file;
mod raw_reads;
mod snapshots;

use crate::config::Config;
pub use args::RecordArgs;

/// Records until everything is recorded, the time is up, or a signal comes.
///
/// # Errors
/// If the source cannot be read, or the file cannot be written. The file is complete up to there.
pub async fn run(config: Config, args: &RecordArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    if args.proc {
        return raw_reads::run(config, args, &shutdown).await;
    }
    match &args.from {
        Some(from) => snapshots::run(from, args, &shutdown).await,
        None => bus::run(config, args, &shutdown).await,
    }
}
