#![no_main]

use producer::parse::{process::arguments, scrub};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    assert!(scrub::command_line(&arguments(text)).len() <= scrub::LONGEST);
    // Whatever the bytes are, here they are a secret, if there are any that count.
    let option = [b"--password=".as_slice(), text].concat();
    let line = scrub::command_line(&[b"app", &option]);
    let counts = |byte: &u8| *byte > b' ' && !b"'\"\\\x7f".contains(byte);
    assert!(!text.iter().any(counts) || line.replace([' ', '\''], "") == "app--password=***");
});
