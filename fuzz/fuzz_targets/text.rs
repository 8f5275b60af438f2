#![no_main]

use schemas::text::{clean, escape, unescape};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let escaped = escape(bytes);
    assert_eq!(clean(&escaped), escaped);
    assert_eq!(unescape(&escaped), bytes);
});
