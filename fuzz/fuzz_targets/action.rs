#![no_main]

use schemas::OperatorAction;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = fuzz::decode_body::<OperatorAction>(bytes);
});
