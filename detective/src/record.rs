//! Snapshots into a file, from the bus; or from raw reads, which are recorded as well.

mod args;
mod bus;
mod file;
mod made;
mod raw;

use crate::config::Config;
pub use args::RecordArgs;

/// Records until all is there, the time is up or a signal comes.
///
/// # Errors
/// If what is recorded cannot be read or the file not be written. What was recorded until then is a whole file.
pub async fn run(config: Config, args: &RecordArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    if args.proc {
        return raw::run(config, args, &shutdown).await;
    }
    match &args.from {
        Some(from) => made::run(from, args, &shutdown).await,
        None => bus::run(config, args, &shutdown).await,
    }
}
