#![no_main]

use schemas::RootCauseEvent;
use scorer::render::{Colour, render_event, render_explanation};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(event) = fuzz::decode_body::<RootCauseEvent>(bytes) else { return };
    for text in [render_event(&event, Colour::Off), render_explanation(&event, Colour::Off)] {
        let is_harmless = |letter: char| letter == '\n' || !(letter.is_control() || letter == '\u{202e}');
        assert!(text.chars().all(is_harmless), "control characters are printed: {text:?}");
    }
});
