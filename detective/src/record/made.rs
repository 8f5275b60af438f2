//! The snapshots that a recording of raw reads gives, into a file, as they were made.

use std::path::Path;

use anyhow::Context;
use evaluation::recording;
use hostread::HostReadError;
use producer::ProducerError;
use schemas::container::Writer;
use service::Hint;
use tokio_util::sync::CancellationToken;

use super::{args::RecordArgs, file};

/// Plays a recording of raw reads to its end, or until a signal comes.
///
/// # Errors
/// If it is no such recording, cannot be played to its end, or the file cannot be written. What was written until then is a whole file.
pub async fn run(from: &Path, args: &RecordArgs, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let (from, to, force, shutdown) = (from.to_owned(), args.file.clone(), args.force, shutdown.clone());
    tokio::task::spawn_blocking(move || write(&from, &to, force, &shutdown)).await?
}

fn write(from: &Path, to: &Path, force: bool, shutdown: &CancellationToken) -> anyhow::Result<()> {
    // Nothing is overwritten before there is something to read.
    let playback = recording::open_playback(from)?;
    if file::are_same(from, to) {
        return Err(anyhow::anyhow!("`{}` is what is to be read", to.display())).hint("name another file");
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
    let (count, whole) = (writer.records_written(), writer.bytes_written());
    file::end(writer.get_ref(), whole).with_context(cannot)?;
    eprintln!("recorded {count} snapshots of `{}` in `{}`, {:.1} MB", from.display(), to.display(), whole as f64 / 1e6);
    outcome.with_context(|| format!("all {count} sweeps that fit are recorded, of `{}`", from.display()))
}
