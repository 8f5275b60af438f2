#![no_main]

use hostread::parse::system::{activity, cpu_ticks, paging, pressure, tasks, uptime_centis};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (pressure(text), cpu_ticks(text), uptime_centis(text), activity(text), paging(text), tasks(text));
});
