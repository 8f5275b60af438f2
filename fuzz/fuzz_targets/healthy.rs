#![no_main]

use schemas::{HealthySnapshot, Timestamp};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(record) = fuzz::decode_body::<HealthySnapshot>(bytes) else { return };
    let _ = record.check(&record.host, Timestamp(1_700_000_000_000));
});
