#![no_main]

use hostread::parse::{frozen_wait::changed_filesystem, syscall::parse_syscall};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    if let Some(call) = parse_syscall(text) {
        let _ = (call.lock_call(), call.transfer_call(), call.futex_wait_address(), changed_filesystem(&call));
    }
});
