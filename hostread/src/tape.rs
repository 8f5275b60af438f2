//! Records what sweeps read from the kernel and its clocks, and plays it back.
//!
//! The same answers give the same snapshots, to the byte. Therefore everything that a sweep does
//! not compute itself goes through a tape, in an order that depends on earlier answers only.

mod playback;
mod recorder;
mod value;

use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use schemas::Timestamp;

use crate::{clock, error::HostReadError, parse, seen::Seen};
use playback::Playback;
use recorder::Recorder;
pub use value::TapeValue;

/// Where the answers to reads come from: the kernel, the kernel while they are recorded, or a
/// recording. Clones share one tape.
#[derive(Clone, Default)]
pub struct Tape(Mode);

#[derive(Clone, Default)]
enum Mode {
    #[default]
    Live,
    Recording(Arc<Mutex<Recorder>>),
    Playback(Arc<Mutex<Playback>>),
}

impl Tape {
    /// A tape that reads from the kernel and records every answer in `out`.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn record_to(out: Box<dyn Write + Send>) -> Result<Tape, HostReadError> {
        Ok(Tape(Mode::Recording(Arc::new(Mutex::new(Recorder::new(out)?)))))
    }

    /// A tape that answers from a recording and does not access the kernel.
    ///
    /// # Errors
    /// If the file is not a recording.
    pub fn play_from<F: Read + Seek + Send + 'static>(file: F) -> Result<Tape, HostReadError> {
        Ok(Tape(Mode::Playback(Arc::new(Mutex::new(Playback::new(file)?)))))
    }

    /// Opens a recording, as [`play_from`](Tape::play_from).
    ///
    /// # Errors
    /// If the file cannot be read or is not a recording.
    pub fn open(path: &Path) -> Result<Tape, HostReadError> {
        let file = File::open(path).map_err(|source| HostReadError::Read { path: path.to_owned(), source })?;
        Tape::play_from(file)
    }

    /// Whether answers come from the kernel and are not recorded.
    pub fn is_live(&self) -> bool {
        matches!(self.0, Mode::Live)
    }

    /// Whether answers come from a recording.
    pub fn is_playback(&self) -> bool {
        matches!(self.0, Mode::Playback(_))
    }

    /// Reads bytes into `buffer`: by `read`, or from the recording. `operation` and `name` identify
    /// the read; playback fails where they differ from the recording.
    pub fn bytes(
        &self,
        operation: &str,
        name: &str,
        buffer: &mut Vec<u8>,
        read: impl FnOnce(&mut Vec<u8>) -> Seen<()>,
    ) -> Seen<()> {
        match &self.0 {
            Mode::Live => read(buffer),
            Mode::Recording(recorder) => {
                let seen = read(buffer);
                let bytes = if seen == Seen::Here(()) { buffer.clone() } else { Vec::new() };
                lock(recorder).record(operation, name, &seen, bytes, Vec::new());
                seen
            }
            Mode::Playback(playback) => {
                let Some((seen, record)) = lock(playback).next(operation, name) else { return Seen::Gone };
                buffer.clear();
                buffer.extend_from_slice(&record.bytes);
                seen
            }
        }
    }

    /// Reads a value: by `read`, or from the recording. `operation` and `name` identify the read,
    /// as in [`bytes`](Tape::bytes).
    pub fn value<T: TapeValue>(&self, operation: &str, name: &str, read: impl FnOnce() -> Seen<T>) -> Seen<T> {
        match &self.0 {
            Mode::Live => read(),
            Mode::Recording(recorder) => {
                let seen = read();
                let numbers = seen.as_ref().map(TapeValue::to_numbers).here().unwrap_or_default();
                lock(recorder).record(operation, name, &seen, Vec::new(), numbers);
                seen
            }
            Mode::Playback(playback) => {
                let Some((seen, record)) = lock(playback).next(operation, name) else { return Seen::Gone };
                seen.and_then(|()| T::from_numbers(&record.numbers).into())
            }
        }
    }

    /// Reads a text that always exists: from `read`, or from the recording.
    pub fn text(&self, operation: &str, read: impl FnOnce() -> String) -> String {
        let mut buffer = Vec::new();
        self.bytes(operation, "", &mut buffer, |buffer| {
            buffer.extend_from_slice(read().as_bytes());
            Seen::Here(())
        });
        parse::text(&buffer)
    }

    /// The time of day.
    pub fn wall_clock(&self) -> Timestamp {
        self.value("wall-clock", "", || Seen::Here(Timestamp::now())).here().unwrap_or(Timestamp(0))
    }

    /// The monotonic clock. Differences between two times are those of the recording.
    pub fn monotonic_clock(&self) -> Instant {
        let start = match &self.0 {
            Mode::Live => return clock::monotonic(),
            Mode::Recording(recorder) => lock(recorder).start,
            Mode::Playback(playback) => lock(playback).start,
        };
        let elapsed = self.value("clock", "", || Seen::Here(clock::monotonic().duration_since(start)));
        start + elapsed.here().unwrap_or_default()
    }

    /// CPU time of the calling thread.
    pub fn thread_cpu_time(&self) -> Duration {
        self.value("thread-cpu", "", || Seen::Here(clock::thread_cpu_time())).here().unwrap_or_default()
    }

    /// Sets the version of Local Detective that made the recording, for error messages. Has no
    /// effect unless this is a playback.
    pub fn set_recorder_version(&self, version: &str) {
        if let Mode::Playback(playback) = &self.0 {
            version.clone_into(&mut lock(playback).recorded_by);
        }
    }

    /// Length of the recording up to the end of its last whole block, in bytes. Anything after that
    /// in the file is incomplete. 0 unless this is a recording.
    pub fn complete_bytes(&self) -> u64 {
        match &self.0 {
            Mode::Recording(recorder) => lock(recorder).complete_bytes(),
            Mode::Live | Mode::Playback(_) => 0,
        }
    }

    /// Ends a sweep. Writes the sweep's answers to the recording, or checks that the sweep read
    /// what the recording holds. Call it after each sweep.
    ///
    /// # Errors
    /// If the recording cannot be written, has ended, or holds the answers to other reads.
    pub fn finish_sweep(&self) -> Result<(), HostReadError> {
        match &self.0 {
            Mode::Live => Ok(()),
            Mode::Recording(recorder) => lock(recorder).finish_block(),
            Mode::Playback(playback) => lock(playback).finish_sweep(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
