#![no_main]

use schemas::Incident;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = fuzz::decode_body::<Incident>(bytes);
});
