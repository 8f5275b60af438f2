//! What is recorded of a host gives the same snapshots again, with no host at all.

use std::{
    io::{Cursor, Write},
    sync::{Arc, Mutex},
};

use producer::{ProducerError, Sweeper, Tape};

use crate::children::*;

/// A file that can be read while it is written.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_was_read_gives_the_same_snapshots_to_the_byte() {
    let (_child, _input) = Kept::ready("exec flock --no-fork /tmp sh -c 'echo ready; read line'");
    let file = Shared::default();
    let mut recorded = Sweeper::on(producer(), Tape::recording(Box::new(file.clone())).unwrap()).unwrap();
    let mut encoded = || schemas::encode(&recorded.sweep().unwrap()).unwrap();
    let snapshots = [encoded(), encoded(), encoded()];
    let bytes = file.0.lock().unwrap().clone();
    let mut played = Sweeper::on(producer(), Tape::playing(Cursor::new(bytes)).unwrap()).unwrap();
    for snapshot in snapshots {
        assert!(schemas::encode(&played.sweep().unwrap()).unwrap() == snapshot);
    }
    assert!(matches!(played.sweep(), Err(ProducerError::TapeEnds)));
}
