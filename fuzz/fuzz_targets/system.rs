#![no_main]

use producer::parse::system::{cpu_ticks, pressure, uptime_centis};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (pressure(text), cpu_ticks(text), uptime_centis(text));
});
