#![no_main]

use hostread::parse::environ::{kept, names};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (names(text), kept(text));
});
