#![no_main]

use hostread::parse::sock_diag::of_datagram;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = of_datagram(bytes);
    // And as the contents of one message, which without its header would seldom be read.
    let length = (bytes.len() as u32 + 16).to_ne_bytes();
    let _ = of_datagram(&[&length[..], &[20, 0, 2, 0], &[0; 8], bytes].concat());
});
