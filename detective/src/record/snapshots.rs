//! Records the snapshots of a recording of raw reads.

use std::path::Path;

use anyhow::Context;
use evaluation::recording;
use hostread::HostReadError;
use producer::ProducerError;
use schemas::container::Writer;
use service::Hint;
use tokio_util::sync::CancellationToken;

use super::{args::RecordArgs, file};
use crate::output::format_megabytes;

/// Plays a recording of raw reads to its end, or until `shutdown` is cancelled.
///
/// # Errors
/// If `from` is not such a recording or cannot be played to its end, or the file cannot be written.
/// The file is complete up to there.
pub async fn run(from: &Path, args: &RecordArgs, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let from = from.to_owned();
    let to = args.file.clone();
    let force = args.force;
    let shutdown = shutdown.clone();
    tokio::task::spawn_blocking(move || write(&from, &to, force, &shutdown)).await?
}

fn write(from: &Path, to: &Path, force: bool, shutdown: &CancellationToken) -> anyhow::Result<()> {
    // Opened before the other file is overwritten.
    let playback = recording::open_playback(from)?;
    if file::are_same(from, to) {
        return Err(anyhow::anyhow!("`{}` is the file to read from", to.display())).hint("name another file");
    }
    let cannot = || format!("cannot write `{}`", to.display());
    let mut writer = Writer::create(file::create(to, force)?).with_context(cannot)?;
    let mut outcome = Ok(());
    for snapshot in playback.take_while(|_| !shutdown.is_cancelled()) {
        match snapshot {
            Ok(snapshot) => {
                writer.append(&snapshot).and_then(|()| writer.finish_block()).with_context(cannot)?;
            }
            Err(ProducerError::Host(HostReadError::TruncatedTape)) => recording::print_cut_warning(from),
            Err(error) => outcome = Err(error).hint_from(ProducerError::hint),
        }
    }
    let count = writer.records_written();
    let bytes = writer.bytes_written();
    file::finish(writer.get_ref(), bytes).with_context(cannot)?;
    let size = format_megabytes(bytes);
    eprintln!("recorded {count} snapshots of `{}` in `{}`, {size}", from.display(), to.display());
    outcome.with_context(|| format!("recorded only the first {count} sweeps of `{}`", from.display()))
}
