#![no_main]

use hostread::parse::process::*;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (parse_statm(text), parse_schedstat(text), parse_io(text), parse_open_files_limit(text));
    let _ = (parse_pid_namespace_depth(text), parse_voluntary_switches(text));
    let _ = (parse_main_cgroup(text), parse_arguments(text), parse_link_number(text, b"socket"));
});
