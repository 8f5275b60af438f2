//! Text of a monitored host in a form that is safe to show.
//!
//! Names and paths on a host are bytes, which any of its users can choose. Control characters in
//! them would be executed by a terminal or break a line, and invisible ones or those that change
//! the direction of writing let one name look like another.

use std::{borrow::Cow, fmt::Write};

/// Converts bytes to text that can be shown. Each byte that is invalid in UTF-8 or part of a
/// character that is unsafe to show becomes `\xNN`, and a backslash becomes `\\`.
///
/// [`unescape`] returns the same bytes again.
pub fn escape(bytes: &[u8]) -> String {
    // Most names are plain ASCII.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    if bytes.iter().all(is_plain)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => escaped.push_str("\\\\"),
                _ if is_unsafe(character) => push_bytes(&mut escaped, character.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => escaped.push(character),
            }
        }
        push_bytes(&mut escaped, chunk.invalid());
    }
    escaped
}

/// Returns the bytes that [`escape`] converted. A backslash that begins no escape stands for
/// itself.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, taken) = match after {
            [b'\\', ..] if *first == b'\\' => (b'\\', 2),
            [b'x', high, low, ..] if *first == b'\\' => hex_byte(*high, *low).map_or((b'\\', 1), |byte| (byte, 4)),
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = rest.get(taken..).unwrap_or_default();
    }
    bytes
}

/// Escapes the characters of a text that are unsafe to show, as [`escape`] does, and keeps
/// backslashes. A text that is escaped already stays the same.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        match is_unsafe(character) {
            true => push_bytes(&mut cleaned, character.encode_utf8(&mut [0; 4]).as_bytes()),
            false => cleaned.push(character),
        }
    }
    Cow::Owned(cleaned)
}

/// Whether a character is a control character, ends a line, is invisible, or changes the direction
/// of writing (the Unicode categories Cc, Zl, Zp, and Cf where it affects the layout).
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unsafe_characters_and_invalid_bytes_are_escaped() {
        for (bytes, escaped) in [
            (&b"plain name"[..], "plain name"),
            ("caf\u{e9} \u{65e5}".as_bytes(), "caf\u{e9} \u{65e5}"),
            (b"a\x1b[2J\nb\x7f", "a\\x1b[2J\\x0ab\\x7f"),
            (b"\xc3\x28", "\\xc3("),
            (b"a\\x41", "a\\\\x41"),
            ("gpj\u{202e}exe".as_bytes(), "gpj\\xe2\\x80\\xaeexe"),
            ("a\u{200b}b\u{2028}\u{9b}".as_bytes(), "a\\xe2\\x80\\x8bb\\xe2\\x80\\xa8\\xc2\\x9b"),
        ] {
            assert_eq!(escape(bytes), escaped);
        }
    }

    #[test]
    fn an_incomplete_escape_stands_for_itself() {
        assert_eq!(unescape("\\ \\x4 \\xzz \\x41"), b"\\ \\x4 \\xzz A");
    }

    proptest! {
        #[test]
        fn escaped_bytes_are_safe_and_come_back(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\\'), Just(b'x')], 0..40)) {
            let escaped = escape(&bytes);
            prop_assert!(!escaped.chars().any(is_unsafe));
            prop_assert_eq!(clean(&escaped), escaped.as_str());
            prop_assert_eq!(unescape(&escaped), bytes);
        }

        #[test]
        fn cleaned_text_is_safe(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_unsafe));
        }
    }
}
