#![no_main]

use schemas::{RootCauseEvent, text::clean};
use scorer::render::{Colour, render_event, render_explanation};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(event) = fuzz::decode_body::<RootCauseEvent>(bytes) else { return };
    for text in [render_event(&event, Colour::Off), render_explanation(&event, Colour::Off)] {
        // `lines` would remove a carriage return at the end of a line.
        for line in text.split('\n') {
            assert_eq!(clean(line), line);
        }
    }
});
