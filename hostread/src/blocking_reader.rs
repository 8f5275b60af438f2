//! Reads that may hang, on a thread of their own.
//!
//! A process's arguments and environment lie in its own memory. A read of them waits until that can be had: while the process changes its
//! memory map, or for a page from a file system whose server is dead, for ever. A file of a container can lie on such a one itself. No
//! signal ends such a wait, so it is left to another thread.

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

/// How long the answers of one sweep may be late, together.
const PATIENCE: Duration = Duration::from_millis(100);

/// The same in the first sweep, which asks every process of the host.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// What a usual answer takes at most, which does not count: of thousands of new processes that alone would use the patience up.
const USUAL: Duration = Duration::from_micros(500);

/// The most readers that hang at a time. With so many, nobody is asked any more until one answers.
const MOST_HANGING: usize = 4;

/// Asks on another thread, and does not wait for ever.
pub struct BlockingReader {
    patience: Duration,
    idle: Option<Reader>,
    hanging: Vec<(File, Reader)>,
}

/// Which file of which process.
type File = (ProcessKey, &'static str);

/// A thread that reads one file after another, until nobody can ask it any more.
struct Reader {
    questions: Sender<Question>,
    answers: Receiver<Result<Vec<u8>, Errno>>,
}

struct Question {
    directory: OwnedFd,
    name: &'static str,
    limit: usize,
}

impl Default for BlockingReader {
    fn default() -> Self {
        BlockingReader { patience: FIRST_PATIENCE, idle: None, hanging: Vec::new() }
    }
}

impl BlockingReader {
    /// Is patient again, after a sweep.
    pub fn reset_wait_budget(&mut self) {
        self.patience = PATIENCE;
    }

    /// What `keep` leaves of the first `limit` bytes of a process's file, in `buffer`, which is cleared first; the rest is nobody's
    /// business, and not in recordings either. `Late` if they do not come in time; then the file is not read again before that
    /// read has come to its end.
    pub fn read_file<'b>(
        &mut self,
        directory: &Directory,
        file: File,
        limit: usize,
        buffer: &'b mut Vec<u8>,
        keep: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Seen<&'b [u8]> {
        // What is asked is the same for a tape, whoever asks.
        directory.read_through_tape("part", file.1, buffer, |fd, buffer| {
            buffer.extend_from_slice(&keep(&self.ask(fd, file, limit)?));
            Ok(())
        })
    }

    fn ask(&mut self, directory: BorrowedFd<'_>, file: File, limit: usize) -> Result<Vec<u8>, Errno> {
        self.take_back();
        if self.patience.is_zero() || self.hanging.iter().any(|(hanging, _)| *hanging == file) {
            return Err(Errno::TIMEDOUT);
        }
        // What this process lacks, it may have later.
        let directory = rustix::io::fcntl_dupfd_cloexec(directory, 0).map_err(|_| Errno::TIMEDOUT)?;
        let reader = self.reader().ok_or(Errno::TIMEDOUT)?;
        let asked_at = clock::monotonic();
        reader.questions.send(Question { directory, name: file.1, limit }).map_err(|_| Errno::IO)?;
        let answer = reader.answers.recv_timeout(self.patience);
        let late = clock::monotonic().duration_since(asked_at).saturating_sub(USUAL);
        self.patience = self.patience.saturating_sub(late);
        match answer {
            Ok(answer) => {
                self.idle = Some(reader);
                answer
            }
            Err(RecvTimeoutError::Timeout) => {
                self.patience = Duration::ZERO;
                self.hanging.push((file, reader));
                Err(Errno::TIMEDOUT)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Errno::IO),
        }
    }

    /// A reader that has answered is free again; one is enough.
    fn take_back(&mut self) {
        let (hanging, answered): (Vec<_>, Vec<_>) = std::mem::take(&mut self.hanging)
            .into_iter()
            .partition(|(_, reader)| reader.answers.try_recv() == Err(TryRecvError::Empty));
        self.hanging = hanging;
        self.idle = self.idle.take().or(answered.into_iter().map(|(_, reader)| reader).next());
    }

    fn reader(&mut self) -> Option<Reader> {
        let another = || (self.hanging.len() < MOST_HANGING).then(Reader::start)?.ok();
        self.idle.take().or_else(another)
    }
}

impl Reader {
    fn start() -> io::Result<Reader> {
        let (questions, asked) = channel::<Question>();
        let (answer, answers) = channel();
        let read_on = move || {
            for Question { directory, name, limit } in asked {
                let mut bytes = Vec::new();
                let read = directory::read_process_file(directory.as_fd(), name, limit, &mut bytes);
                if answer.send(read.map(|()| bytes)).is_err() {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name("aside".to_owned()).stack_size(64 << 10).spawn(read_on);
        started.map(|_| Reader { questions, answers })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use rustix::fs::{CWD, FileType, Mode, OFlags};
    use tempfile::TempDir;

    use super::*;
    use crate::Tape;

    /// A file whose opening waits for a writer that there is not.
    fn hang(directory: &Path, name: &str) {
        rustix::fs::mknodat(CWD, directory.join(name), FileType::Fifo, Mode::RWXU, 0).unwrap();
    }

    /// Is the writer, for a moment.
    fn let_go(directory: &Path, name: &str) {
        rustix::fs::open(directory.join(name), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    }

    impl BlockingReader {
        fn read<'b>(
            &mut self,
            directory: &Directory,
            file: File,
            limit: usize,
            buffer: &'b mut Vec<u8>,
        ) -> Seen<&'b [u8]> {
            self.read_file(directory, file, limit, buffer, <[u8]>::to_vec)
        }
    }

    fn eventually(aside: &mut BlockingReader, mut is_so: impl FnMut(&mut BlockingReader) -> bool) {
        let begun = clock::monotonic();
        while !is_so(aside) {
            assert!(begun.elapsed() < Duration::from_secs(10), "it never is");
            aside.reset_wait_budget();
        }
    }

    fn of(pid: u32) -> File {
        (ProcessKey { pid, start_time: 0 }, "cmdline")
    }

    #[test]
    fn an_answer_is_the_file() {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("cmdline"), "sh\0-c\0true\0").unwrap();
        let open = Directory::open(directory.path(), &Tape::default()).here().unwrap();
        let (mut aside, mut buffer) = (BlockingReader::default(), vec![7]);
        assert_eq!(aside.read(&open, of(1), 100, &mut buffer), Seen::Here(b"sh\0-c\0true\0".as_slice()));
        assert_eq!(aside.read(&open, of(1), 4, &mut buffer), Seen::Here(b"sh\0-".as_slice()));
        assert_eq!(aside.read(&open, (of(1).0, "environ"), 4, &mut buffer), Seen::Gone);
    }

    #[test]
    fn who_does_not_answer_is_late_until_the_answer_comes_and_nobody_waits_for_it() {
        let directory = TempDir::new().unwrap();
        hang(directory.path(), "cmdline");
        std::fs::write(directory.path().join("environ"), "A=1\0").unwrap();
        let open = Directory::open(directory.path(), &Tape::default()).here().unwrap();
        let (mut aside, mut buffer) = (BlockingReader::default(), Vec::new());
        assert_eq!(aside.read(&open, of(1), 100, &mut buffer), Seen::Late);
        assert_eq!((aside.patience, aside.hanging.len()), (Duration::ZERO, 1));
        // The patience of one sweep is for all that it asks.
        let environ = (of(1).0, "environ");
        assert_eq!(aside.read(&open, environ, 100, &mut buffer), Seen::Late);
        aside.reset_wait_budget();
        assert_eq!(aside.read(&open, of(1), 100, &mut buffer), Seen::Late);
        assert_eq!(aside.read(&open, environ, 100, &mut buffer), Seen::Here(b"A=1\0".as_slice()));
        assert_eq!((aside.patience > Duration::ZERO, aside.hanging.len()), (true, 1));
        // Somebody else finds the file by the time that the answer comes.
        std::fs::rename(directory.path().join("cmdline"), directory.path().join("old")).unwrap();
        std::fs::write(directory.path().join("cmdline"), "sh\0").unwrap();
        let_go(directory.path(), "old");
        eventually(&mut aside, |aside| aside.read(&open, of(1), 100, &mut buffer) == Seen::Here(b"sh\0".as_slice()));
        assert_eq!(aside.hanging.len(), 0);
    }

    #[test]
    fn only_so_many_readers_hang() {
        let directory = TempDir::new().unwrap();
        hang(directory.path(), "cmdline");
        std::fs::write(directory.path().join("environ"), "A=1\0").unwrap();
        let open = Directory::open(directory.path(), &Tape::default()).here().unwrap();
        let (mut aside, mut buffer) = (BlockingReader::default(), Vec::new());
        for pid in 0..6 {
            aside.reset_wait_budget();
            assert_eq!(aside.read(&open, of(pid), 100, &mut buffer), Seen::Late);
        }
        assert_eq!(aside.hanging.len(), MOST_HANGING);
        let environ = (of(1).0, "environ");
        assert_eq!(aside.read(&open, environ, 100, &mut buffer), Seen::Late);
        let_go(directory.path(), "cmdline");
        eventually(&mut aside, |aside| aside.read(&open, environ, 100, &mut buffer) == Seen::Here(b"A=1\0".as_slice()));
    }
}
