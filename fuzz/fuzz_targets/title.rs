#![no_main]

use hostread::parse::title::parse_title;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    if let Some(title) = parse_title(&[text]) {
        assert!(title.to_string().len() < 100);
    }
});
