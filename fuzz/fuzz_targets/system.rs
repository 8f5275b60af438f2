#![no_main]

use hostread::parse::system::*;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (parse_pressure(text), parse_cpu_ticks(text), parse_uptime_centis(text), parse_activity(text));
    let _ = (parse_paging(text), parse_task_count(text), parse_available_memory(text));
});
