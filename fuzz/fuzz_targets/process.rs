#![no_main]

use hostread::parse::process::{
    arguments, cgroup, io, numbered, open_files_limit, own_numbers, schedule, statm, voluntary_switches,
};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (statm(text), schedule(text), io(text), open_files_limit(text));
    let _ = (own_numbers(text), voluntary_switches(text));
    let _ = (cgroup(text), arguments(text), numbered(text, b"socket"));
});
