#![no_main]

use std::io::Cursor;

use schemas::{RawRead, container::Reader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::<RawRead, _>::open(Cursor::new(bytes)) else { return };
    while let Ok(Some(block)) = reader.next_block() {
        reader.records(&block).for_each(drop);
    }
});
