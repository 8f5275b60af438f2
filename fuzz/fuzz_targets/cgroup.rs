#![no_main]

use hostread::parse::cgroup::*;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (parse_memberships(text).count(), parse_throttling(text), parse_cpu_nanos(text), parse_cpu_max(text));
    let _ = (parse_cfs_quota(text), parse_limit(text), parse_amount(text), parse_memory_events(text));
    let _ = (parse_oom_kills(text), parse_frozen(text), parse_freezer_state(text));
    let _ = (parse_io_stat(text), parse_io_service_bytes(text));
});
