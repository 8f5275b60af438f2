#![no_main]

use hostread::parse::sock_diag::parse_datagram;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = parse_datagram(bytes);
    // Also parse the input as the payload of one message: random bytes rarely form a valid header.
    let length = (bytes.len() as u32 + 16).to_ne_bytes();
    let _ = parse_datagram(&[&length[..], &[20, 0, 2, 0], &[0; 8], bytes].concat());
});
