//! Reads of files that may hang, on a thread of their own.
//!
//! The arguments and the environment of a process are in its own memory. A read of them waits while
//! the process changes its memory map, and forever for a page of a filesystem whose server is dead.
//! A file in a container can be on such a filesystem itself. No signal interrupts these waits.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    thread,
    time::Duration,
};

use rustix::io::Errno;

use crate::{
    clock,
    directory::{self, Directory},
    process::ProcessKey,
    seen::Seen,
};

/// Wait budget of a sweep: how long its reads may take in total, beyond [`USUAL_DURATION`] each.
const WAIT_BUDGET: Duration = Duration::from_millis(100);

/// Wait budget of the first sweep, which reads these files of every process.
const FIRST_WAIT_BUDGET: Duration = Duration::from_secs(1);

/// How long a read usually takes at most. It is not charged to the budget, which thousands of new
/// processes would use up otherwise.
const USUAL_DURATION: Duration = Duration::from_micros(500);

/// With this many hanging threads, no further read starts until one of them finishes.
const MAX_HANGING: usize = 4;

/// Reads files of processes on another thread, and gives up when a wait budget is used up.
pub struct BlockingReader {
    wait_budget: Duration,
    idle: Option<ReaderThread>,
    hanging: Vec<(ProcessFile, ReaderThread)>,
}

/// A process and the name of a file in its directory.
type ProcessFile = (ProcessKey, &'static str);

/// A thread that reads one file after another, until its channel closes.
struct ReaderThread {
    requests: Sender<ReadRequest>,
    results: Receiver<Result<Vec<u8>, Errno>>,
}

struct ReadRequest {
    directory: OwnedFd,
    name: &'static str,
    limit: usize,
}

impl Default for BlockingReader {
    fn default() -> Self {
        BlockingReader { wait_budget: FIRST_WAIT_BUDGET, idle: None, hanging: Vec::new() }
    }
}

impl BlockingReader {
    /// Restores the wait budget. Call it after each sweep.
    pub fn reset_wait_budget(&mut self) {
        self.wait_budget = WAIT_BUDGET;
    }

    /// Reads the first `limit` bytes of a file of a process, passes them to `keep`, and puts what
    /// that returns into `buffer`. Recordings hold only what `keep` returns, so secrets can be left
    /// out.
    ///
    /// `Late` if the read does not finish in time. Then the file is not read again until that read
    /// has finished.
    pub fn read_file<'b>(
        &mut self,
        directory: &Directory,
        file: ProcessFile,
        limit: usize,
        buffer: &'b mut Vec<u8>,
        keep: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Seen<&'b [u8]> {
        directory.read_through_tape("part", file.1, buffer, |fd, buffer| {
            buffer.extend_from_slice(&keep(&self.read_in_time(fd, file, limit)?));
            Ok(())
        })
    }

    fn read_in_time(&mut self, directory: BorrowedFd<'_>, file: ProcessFile, limit: usize) -> Result<Vec<u8>, Errno> {
        self.reclaim_finished();
        if self.wait_budget.is_zero() || self.hanging.iter().any(|(hanging, _)| *hanging == file) {
            return Err(Errno::TIMEDOUT);
        }
        let directory = rustix::io::fcntl_dupfd_cloexec(directory, 0)?;
        // A lack of threads may be temporary, so it is reported as a timeout.
        let reader = self.take_reader().ok_or(Errno::TIMEDOUT)?;
        let start = clock::monotonic();
        reader.requests.send(ReadRequest { directory, name: file.1, limit }).map_err(|_| Errno::IO)?;
        let result = reader.results.recv_timeout(self.wait_budget);
        let excess = clock::monotonic().duration_since(start).saturating_sub(USUAL_DURATION);
        self.wait_budget = self.wait_budget.saturating_sub(excess);
        match result {
            Ok(result) => {
                self.idle = Some(reader);
                result
            }
            Err(RecvTimeoutError::Timeout) => {
                self.wait_budget = Duration::ZERO;
                self.hanging.push((file, reader));
                Err(Errno::TIMEDOUT)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Errno::IO),
        }
    }

    /// Makes one of the threads idle whose hanging read has finished, and drops the others.
    fn reclaim_finished(&mut self) {
        let (hanging, finished): (Vec<_>, Vec<_>) = std::mem::take(&mut self.hanging)
            .into_iter()
            .partition(|(_, reader)| reader.results.try_recv() == Err(TryRecvError::Empty));
        self.hanging = hanging;
        self.idle = self.idle.take().or(finished.into_iter().map(|(_, reader)| reader).next());
    }

    /// The idle thread or a new one. `None` if too many threads hang, or no thread can be started.
    fn take_reader(&mut self) -> Option<ReaderThread> {
        let start = || (self.hanging.len() < MAX_HANGING).then(ReaderThread::start)?.ok();
        self.idle.take().or_else(start)
    }
}

impl ReaderThread {
    fn start() -> io::Result<ReaderThread> {
        let (requests, receiver) = channel::<ReadRequest>();
        let (sender, results) = channel();
        let serve = move || {
            for ReadRequest { directory, name, limit } in receiver {
                let mut bytes = Vec::new();
                let read = directory::read_process_file(directory.as_fd(), name, limit, &mut bytes);
                if sender.send(read.map(|()| bytes)).is_err() {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name("blocking-reader".to_owned()).stack_size(64 << 10).spawn(serve);
        started.map(|_| ReaderThread { requests, results })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustix::fs::{CWD, FileType, Mode, OFlags};
    use tempfile::TempDir;

    use super::*;
    use crate::Tape;

    const SHELL: &[u8] = b"sh\0";
    const ENVIRON: &[u8] = b"A=1\0";

    /// Creates a FIFO. Opening it for reading blocks until it is opened for writing.
    fn create_fifo(directory: &Path, name: &str) {
        rustix::fs::mknodat(CWD, directory.join(name), FileType::Fifo, Mode::RWXU, 0).unwrap();
    }

    /// Opens a FIFO for writing and closes it, so that its readers finish.
    fn release_fifo(directory: &Path, name: &str) {
        rustix::fs::open(directory.join(name), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    }

    fn open(directory: &TempDir) -> Directory {
        Directory::open(directory.path(), &Tape::default()).here().unwrap()
    }

    fn cmdline(pid: u32) -> ProcessFile {
        (ProcessKey { pid, start_time: 0 }, "cmdline")
    }

    fn environ(pid: u32) -> ProcessFile {
        (ProcessKey { pid, start_time: 0 }, "environ")
    }

    fn read(reader: &mut BlockingReader, directory: &Directory, file: ProcessFile, limit: usize) -> Seen<Vec<u8>> {
        let mut buffer = vec![7];
        reader.read_file(directory, file, limit, &mut buffer, <[u8]>::to_vec).map(<[u8]>::to_vec)
    }

    fn eventually(reader: &mut BlockingReader, mut is_true: impl FnMut(&mut BlockingReader) -> bool) {
        let start = clock::monotonic();
        while !is_true(reader) {
            assert!(start.elapsed() < Duration::from_secs(10), "not true within 10 s");
            reader.reset_wait_budget();
        }
    }

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("cmdline"), "sh\0-c\0true\0").unwrap();
        let open = open(&directory);
        let mut reader = BlockingReader::default();
        assert_eq!(read(&mut reader, &open, cmdline(1), 100), Seen::Here(b"sh\0-c\0true\0".to_vec()));
        assert_eq!(read(&mut reader, &open, cmdline(1), 4), Seen::Here(b"sh\0-".to_vec()));
        assert_eq!(read(&mut reader, &open, environ(1), 4), Seen::Gone);
    }

    #[test]
    fn a_read_that_hangs_is_late_until_it_finishes_and_other_files_are_read_meanwhile() {
        let directory = TempDir::new().unwrap();
        create_fifo(directory.path(), "cmdline");
        std::fs::write(directory.path().join("environ"), ENVIRON).unwrap();
        let open = open(&directory);
        let mut reader = BlockingReader::default();
        assert_eq!(read(&mut reader, &open, cmdline(1), 100), Seen::Late);
        assert_eq!((reader.wait_budget, reader.hanging.len()), (Duration::ZERO, 1));
        // All reads of a sweep share one budget.
        assert_eq!(read(&mut reader, &open, environ(1), 100), Seen::Late);
        reader.reset_wait_budget();
        assert_eq!(read(&mut reader, &open, cmdline(1), 100), Seen::Late);
        assert_eq!(read(&mut reader, &open, environ(1), 100), Seen::Here(ENVIRON.to_vec()));
        assert_eq!((reader.wait_budget > Duration::ZERO, reader.hanging.len()), (true, 1));
        // The hanging read keeps its FIFO; later reads find the new file.
        std::fs::rename(directory.path().join("cmdline"), directory.path().join("old")).unwrap();
        std::fs::write(directory.path().join("cmdline"), SHELL).unwrap();
        release_fifo(directory.path(), "old");
        eventually(&mut reader, |reader| read(reader, &open, cmdline(1), 100) == Seen::Here(SHELL.to_vec()));
        assert_eq!(reader.hanging.len(), 0);
    }

    #[test]
    fn the_number_of_hanging_threads_is_limited() {
        let directory = TempDir::new().unwrap();
        create_fifo(directory.path(), "cmdline");
        std::fs::write(directory.path().join("environ"), ENVIRON).unwrap();
        let open = open(&directory);
        let mut reader = BlockingReader::default();
        for pid in 0..6 {
            reader.reset_wait_budget();
            assert_eq!(read(&mut reader, &open, cmdline(pid), 100), Seen::Late);
        }
        assert_eq!(reader.hanging.len(), MAX_HANGING);
        assert_eq!(read(&mut reader, &open, environ(1), 100), Seen::Late);
        release_fifo(directory.path(), "cmdline");
        eventually(&mut reader, |reader| read(reader, &open, environ(1), 100) == Seen::Here(ENVIRON.to_vec()));
    }
}
