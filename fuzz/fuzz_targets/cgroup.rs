#![no_main]

use hostread::parse::cgroup::*;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (memberships(text).count(), throttling(text), cpu_nanos(text), cpu_max(text), cfs_quota(text));
    let _ = (limit(text), amount(text), memory_events(text), oom_kills(text), frozen(text), freezer_state(text));
    let _ = (io_stat(text), io_service_bytes(text));
});
