#![no_main]

use hostread::parse::{
    process::parse_arguments,
    redact::{MAX_LENGTH, redact_command_line},
};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    assert!(redact_command_line(&parse_arguments(text)).len() <= MAX_LENGTH);
    // Here the input is the password, so none of it may be shown.
    let option = [b"--password=".as_slice(), text].concat();
    let line = redact_command_line(&[b"app", &option]);
    let counts = |character: &char| !character.is_whitespace() && !"'\"\\".contains(*character);
    let shown: String = line.chars().filter(counts).collect();
    assert!("app--password=***".starts_with(&shown), "{line}");
});
