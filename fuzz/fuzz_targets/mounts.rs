#![no_main]

use hostread::parse::{
    diskstats::parse_disk_line,
    frozen_wait::{find_thaw_frame, parse_wchan},
    mounts::parse_mountinfo,
    net_counters::parse_counter,
};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = (parse_mountinfo(text).count(), parse_disk_line(text), parse_counter(text, b"TcpExt", b"ListenDrops"));
    let _ = (parse_wchan(text), find_thaw_frame(text));
});
