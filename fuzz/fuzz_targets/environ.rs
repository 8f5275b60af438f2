#![no_main]

use hostread::parse::environ::{keep_container_names, parse_container_names};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (parse_container_names(text), keep_container_names(text));
});
