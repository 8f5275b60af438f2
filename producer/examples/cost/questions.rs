//! The reads of a sweep, from a recording.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Write},
    sync::{Arc, Mutex, PoisonError},
};

use hostread::Tape;
use producer::{Producer, Sweeper};
use schemas::{
    RawRead,
    container::{Block, Reader},
};

/// A sweeper whose reads are recorded.
pub struct Recorded {
    /// Directories opened before the recorded sweep; some of them are still open.
    pub opened: BTreeSet<String>,
    sweeper: Sweeper,
    file: Shared,
}

/// A file that can be read while it is written.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Recorded {
    /// Creates a sweeper that has made one sweep: the first one is not representative.
    pub fn new(producer: Producer) -> anyhow::Result<Recorded> {
        let file = Shared::default();
        let mut sweeper = Sweeper::with_tape(producer, Tape::record_to(Box::new(file.clone()))?)?;
        sweeper.sweep()?;
        let mut reader = Reader::<RawRead, _>::open(Cursor::new(file.bytes()))?;
        let first = reader.next_block()?;
        let opened =
            all(&mut reader, first)?.into_iter().filter(|asked| matches!(asked.question.as_str(), "open" | "enter"));
        let opened = opened.map(|asked| asked.name).collect();
        Ok(Recorded { opened, sweeper, file })
    }

    /// Returns the reads of the next sweep, in order, with their results.
    pub fn questions(&mut self) -> anyhow::Result<Vec<RawRead>> {
        let begin = self.file.bytes().len() as u64;
        self.sweeper.sweep()?;
        let mut reader = Reader::<RawRead, _>::open(Cursor::new(self.file.bytes()))?;
        let first = reader.block_at(begin)?;
        all(&mut reader, Some(first))
    }
}

/// The records from this block on.
fn all(reader: &mut Reader<RawRead, Cursor<Vec<u8>>>, mut block: Option<Block>) -> anyhow::Result<Vec<RawRead>> {
    let mut questions = Vec::new();
    while let Some(known) = block {
        for record in reader.records(&known) {
            questions.push(record?.1);
        }
        block = reader.next_block()?;
    }
    Ok(questions)
}

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Files that a sweep reads: of nearly every process, and of the host.
#[derive(Debug, Default)]
pub struct Files {
    /// Relative to a process's directory.
    pub of_processes: BTreeSet<String>,
    /// Relative to the root.
    pub of_host: BTreeSet<String>,
}

impl Files {
    /// Collects the files of these reads. Reads made of a few waiting processes only are left out.
    pub fn from_reads(questions: &[RawRead]) -> Files {
        let mut processes = BTreeMap::<String, BTreeSet<String>>::new();
        let mut files = Files::default();
        for question in questions {
            let Some(name) = question.name.strip_prefix("/proc/") else { continue };
            // A limit queried by pid: others read it from a file.
            let limits = (question.question == "limit").then(|| format!("{name}/limits"));
            let name = limits.as_deref().unwrap_or(name);
            match name.split_once('/') {
                Some((pid, file)) if pid.bytes().all(|digit| digit.is_ascii_digit()) => {
                    let (first, rest) = file.split_once('/').unwrap_or((file, ""));
                    // Numbered descriptors are left out.
                    let is_numbered = rest.bytes().all(|digit| digit.is_ascii_digit());
                    let file = if is_numbered { first } else { file };
                    processes.entry(file.to_owned()).or_default().insert(pid.to_owned());
                }
                _ => drop(files.of_host.insert(name.to_owned())),
            }
        }
        let most = processes.values().map(BTreeSet::len).max().unwrap_or(0);
        let nearly_all = processes.into_iter().filter(|(_, pids)| pids.len() * 2 > most);
        files.of_processes = nearly_all.map(|(file, _)| file).collect();
        files
    }
}
