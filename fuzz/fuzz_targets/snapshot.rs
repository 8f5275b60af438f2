#![no_main]

use schemas::GraphSnapshot;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(snapshot) = fuzz::decode_body::<GraphSnapshot>(bytes) else { return };
    let _ = snapshot.check(&snapshot.host);
});
