#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = hostread::parse::fdinfo::parse_held_locks(text).count();
});
