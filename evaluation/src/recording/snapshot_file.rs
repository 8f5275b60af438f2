//! A recording of snapshots, ordered by time.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
};

use schemas::{
    GraphSnapshot, Timestamp,
    container::{Block, ContainerError, Reader, RecordPosition},
};

/// Size of the block cache. Files recorded from several partitions alternate between blocks.
const CACHE_BYTES: usize = 32 << 20;

/// The snapshots of a file. Only their positions are in memory.
pub struct SnapshotFile {
    reader: Reader<GraphSnapshot, File>,
    entries: Vec<Entry>,
    host_count: usize,
    /// Blocks in the order of their last use.
    cache: VecDeque<Block>,
    /// The error that ended the scan before the end of the file.
    pub read_error: Option<ContainerError>,
}

/// One snapshot of a file.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Time at which its sweep ended; if the host's clock stepped back, that of the one before.
    pub time: Timestamp,
    position: RecordPosition,
}

impl SnapshotFile {
    /// Scans a file up to its end or its first incomplete block.
    ///
    /// Snapshots of a file that was recorded from several partitions need not be in the order of
    /// time, but those of each host are.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(reader: Reader<GraphSnapshot, File>) -> Result<SnapshotFile, ContainerError> {
        let mut file =
            SnapshotFile { reader, entries: Vec::new(), host_count: 0, cache: VecDeque::new(), read_error: None };
        match file.scan() {
            Ok(()) => {}
            Err(error) if error.is_block_error() => file.read_error = Some(error),
            Err(error) => return Err(error),
        }
        Ok(file)
    }

    fn scan(&mut self) -> Result<(), ContainerError> {
        let mut newest: HashMap<String, Timestamp> = HashMap::new();
        let outcome = self.scan_blocks(&mut newest);
        self.host_count = newest.len();
        // A stable sort keeps snapshots of one time as they were recorded.
        self.entries.sort_by_key(|entry| entry.time);
        outcome
    }

    /// `newest` is the latest time of each host.
    fn scan_blocks(&mut self, newest: &mut HashMap<String, Timestamp>) -> Result<(), ContainerError> {
        while let Some(block) = self.reader.next_block()? {
            let complete = self.entries.len();
            let mut outcome = Ok(());
            for record in self.reader.records(&block) {
                match record {
                    Ok((position, snapshot)) => {
                        let newest = newest.entry(snapshot.host).or_insert(snapshot.ended_at);
                        *newest = snapshot.ended_at.max(*newest);
                        self.entries.push(Entry { time: *newest, position });
                    }
                    Err(error) => {
                        self.entries.truncate(complete);
                        outcome = Err(error);
                    }
                }
            }
            outcome?;
        }
        Ok(())
    }

    /// The snapshots, ordered by time.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Number of hosts.
    pub fn host_count(&self) -> usize {
        self.host_count
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    /// If the file has changed since it was opened.
    pub fn snapshot(&mut self, entry: Entry) -> Result<GraphSnapshot, ContainerError> {
        if self.cache.back().is_none_or(|block| block.offset() != entry.position.block) {
            self.load_block(entry.position.block)?;
        }
        match self.cache.back() {
            Some(block) => self.reader.record_at(block, entry.position.at),
            None => Err(ContainerError::Truncated { offset: entry.position.block }),
        }
    }

    /// Moves a block to the back of the cache, and evicts the least recently used ones.
    fn load_block(&mut self, offset: u64) -> Result<(), ContainerError> {
        let cached = self.cache.iter().position(|block| block.offset() == offset);
        let block = match cached.and_then(|index| self.cache.remove(index)) {
            Some(block) => block,
            None => self.reader.block_at(offset)?,
        };
        self.cache.push_back(block);
        while self.cache.len() > 1 && self.cache.iter().map(Block::size).sum::<usize>() > CACHE_BYTES {
            self.cache.pop_front();
        }
        Ok(())
    }
}
