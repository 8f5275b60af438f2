#![no_main]

use hostread::parse::{process::arguments, scrub};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    assert!(scrub::command_line(&arguments(text)).len() <= scrub::LONGEST);
    // Whatever the bytes are, here they are a secret.
    let option = [b"--password=".as_slice(), text].concat();
    let line = scrub::command_line(&[b"app", &option]);
    let counts = |character: &char| !character.is_whitespace() && !"'\"\\".contains(*character);
    let shown: String = line.chars().filter(counts).collect();
    assert!("app--password=***".starts_with(&shown), "{line}");
});
