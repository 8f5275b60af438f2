#![no_main]

use hostread::parse::{counters::counter, diskstats, mounts, thaw};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (mounts::parse(text).count(), diskstats::parse(text), counter(text, b"TcpExt", b"ListenDrops"));
    let _ = (thaw::wchan(text), thaw::stack(text));
});
