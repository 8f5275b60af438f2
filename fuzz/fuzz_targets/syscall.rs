#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = hostread::parse::syscall::parse(text).map(|call| (call.lock_call(), call.channel_call(), call.futex()));
});
