#![no_main]

use hostread::parse::title::Title;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    if let Some(title) = Title::of(&[text]) {
        assert!(title.to_string().len() < 100);
    }
});
