//! A recording of snapshots, in the order of their times.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
};

use schemas::{
    GraphSnapshot, Timestamp,
    container::{Block, ContainerError, Place, Reader},
};

/// Blocks that are kept while their snapshots are replayed: those of several partitions take turns.
const BLOCKS_BYTES: usize = 32 << 20;

/// The snapshots of a file. They stay there; what is kept in memory is where each of them is.
pub struct Tape {
    reader: Reader<GraphSnapshot, File>,
    entries: Vec<Entry>,
    hosts: usize,
    blocks: VecDeque<Block>,
    /// Why the file could not be read to its end.
    pub broken: Option<ContainerError>,
}

/// One snapshot of a recording.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// When its sweep was complete; of a host whose clock went back, when the one before it was.
    pub time: Timestamp,
    place: Place,
}

impl Tape {
    /// Looks through a file once, up to its end or the first block that is not whole.
    ///
    /// A file that was recorded from several partitions need not be in the order of time, but each host's snapshots are in theirs.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(reader: Reader<GraphSnapshot, File>) -> Result<Tape, ContainerError> {
        let mut tape = Tape { reader, entries: Vec::new(), hosts: 0, blocks: VecDeque::new(), broken: None };
        match tape.look_through() {
            Ok(()) => {}
            Err(error) if error.is_about_a_block() => tape.broken = Some(error),
            Err(error) => return Err(error),
        }
        Ok(tape)
    }

    fn look_through(&mut self) -> Result<(), ContainerError> {
        let mut newest: HashMap<String, Timestamp> = HashMap::new();
        let mut outcome = Ok(());
        while outcome.is_ok() {
            let block = match self.reader.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => break,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            };
            let whole = self.entries.len();
            for record in self.reader.records(&block) {
                match record {
                    Ok((place, snapshot)) => {
                        let newest = newest.entry(snapshot.host).or_insert(snapshot.ended_at);
                        *newest = snapshot.ended_at.max(*newest);
                        self.entries.push(Entry { time: *newest, place });
                    }
                    Err(error) => {
                        self.entries.truncate(whole);
                        outcome = Err(error);
                    }
                }
            }
        }
        self.hosts = newest.len();
        // Stable, so that snapshots of one time stay as they were recorded.
        self.entries.sort_by_key(|entry| entry.time);
        outcome
    }

    /// The snapshots, by time.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many hosts they are of.
    pub fn hosts(&self) -> usize {
        self.hosts
    }

    /// A snapshot.
    ///
    /// # Errors
    /// If the file has changed meanwhile.
    pub fn snapshot(&mut self, entry: Entry) -> Result<GraphSnapshot, ContainerError> {
        if self.blocks.back().is_none_or(|block| block.offset() != entry.place.block) {
            self.bring_block(entry.place.block)?;
        }
        match self.blocks.back() {
            Some(block) => self.reader.record_at(block, entry.place.at),
            None => Err(ContainerError::Cut { offset: entry.place.block }),
        }
    }

    /// Puts a block behind the others, of which those go that were not used for the longest.
    fn bring_block(&mut self, offset: u64) -> Result<(), ContainerError> {
        let held = self.blocks.iter().position(|block| block.offset() == offset);
        let block = match held.and_then(|at| self.blocks.remove(at)) {
            Some(block) => block,
            None => self.reader.block_at(offset)?,
        };
        self.blocks.push_back(block);
        while self.blocks.len() > 1 && self.blocks.iter().map(Block::size).sum::<usize>() > BLOCKS_BYTES {
            self.blocks.pop_front();
        }
        Ok(())
    }
}
