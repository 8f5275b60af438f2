#![no_main]

use schemas::text::{escape, unescape};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let escaped = escape(bytes);
    assert!(!escaped.chars().any(char::is_control));
    assert_eq!(unescape(&escaped), bytes);
});
