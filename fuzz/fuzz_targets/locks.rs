#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    let _ = hostread::parse::locks::parse_lock_line(line);
});
