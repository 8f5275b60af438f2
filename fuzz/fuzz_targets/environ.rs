#![no_main]

use hostread::parse::environ::{parse_container_names, without_secrets};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (parse_container_names(text), without_secrets(text));
});
