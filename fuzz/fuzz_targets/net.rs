#![no_main]

use hostread::parse::proc_net::{parse_tcp_line, parse_unix_line};

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    let _ = (parse_tcp_line(line), parse_unix_line(line));
});
