//! Splits Rust source text into code, comments and string literals, without parsing it.

use std::ops::Range;

mod comments;
mod items;
mod lexer;
mod owner;

pub use items::{Item, items};
pub use lexer::{Kind, Piece};
pub use owner::{Owner, owner};

/// Source text of one file, split into pieces.
pub struct RustSource {
    /// The text as it is in the file.
    pub text: String,
    /// The same text with blanks in place of comments and the contents of literals. Offsets and
    /// line breaks are those of `text`.
    pub code: String,
    /// Comments and string literals, in order.
    pub pieces: Vec<Piece>,
    /// The items that are compiled for tests only, as ranges of `text`.
    test_items: Vec<Range<usize>>,
}

impl RustSource {
    /// Splits the text of a file.
    pub fn new(text: String) -> RustSource {
        let pieces = lexer::split(&text);
        let code = blank_out(&text, &pieces);
        let test_items = test_items(&code);
        RustSource { text, code, pieces, test_items }
    }

    /// Whether the position is in an item that is compiled for tests only.
    pub fn is_in_tests(&self, offset: usize) -> bool {
        self.test_items.iter().any(|item| item.contains(&offset))
    }

    /// The code without comments, literals and the items that are compiled for tests only.
    pub fn code_without_tests(&self) -> String {
        let mut code = self.code.clone();
        for item in self.test_items.iter().rev() {
            code.replace_range(item.clone(), "");
        }
        code
    }

    /// The number of the line at an offset, from 1.
    pub fn line_at(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }
}

fn blank_out(text: &str, pieces: &[Piece]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for piece in pieces {
        for byte in &mut bytes[piece.range.clone()] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    // Pieces begin and end at ASCII characters, so what is left is valid UTF-8.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Items after `#[cfg(test)]`, from the attribute to the closing brace or the semicolon.
fn test_items(code: &str) -> Vec<Range<usize>> {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices(ATTRIBUTE) {
        if items.last().is_some_and(|last| last.contains(&start)) {
            continue;
        }
        items.push(start..item_end(code, start + ATTRIBUTE.len()));
    }
    items
}

fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, letter) in code[start..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(letter, '}' | ';') {
            return start + offset + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::RustSource;

    const TEXT: &str = r#"
//! Reads "this".
use a::{b, c};
#[cfg(test)]
use d::e;
fn f() { g("}") }
#[cfg(test)]
mod tests {
    fn h() {}
}
"#;

    #[test]
    fn code_without_tests_has_no_comments_literals_and_test_items() {
        let source = RustSource::new(TEXT.to_owned());
        let words: String = source.code_without_tests().split_whitespace().collect();
        assert_eq!(words, "usea::{b,c};fnf(){g()}");
        assert!(source.is_in_tests(TEXT.find("fn h").unwrap()));
        assert_eq!(source.line_at(TEXT.find("fn f").unwrap()), 6);
    }
}
