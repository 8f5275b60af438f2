#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = hostread::parse::fdinfo::locks(text).count();
});
