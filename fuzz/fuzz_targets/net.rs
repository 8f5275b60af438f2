#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    let _ = (hostread::parse::net::tcp(line), hostread::parse::net::unix(line));
});
