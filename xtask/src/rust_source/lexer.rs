//! Finds comments and literals.

use std::ops::Range;

/// A comment or a literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Where it is in the text, with its delimiters.
    pub range: Range<usize>,
}

/// What a [`Piece`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `//` or `/* */`.
    Comment,
    /// `///`, which documents what follows.
    DocComment,
    /// `//!`, which documents the module that it is in.
    ModuleDoc,
    /// A string literal of any form.
    Text,
    /// A character literal.
    Character,
}

impl Kind {
    /// Whether it is a comment of any form.
    pub fn is_comment(self) -> bool {
        matches!(self, Kind::Comment | Kind::DocComment | Kind::ModuleDoc)
    }
}

/// The comments and literals of a text, in order.
pub fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match piece_at(text, at) {
            Some(piece) => {
                at = piece.range.end;
                pieces.push(piece);
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    pieces
}

fn piece_at(text: &str, at: usize) -> Option<Piece> {
    let rest = &text[at..];
    let (kind, length) = match rest.as_bytes()[0] {
        b'/' if rest.starts_with("//") => line_comment(rest),
        b'/' if rest.starts_with("/*") => (Kind::Comment, block_comment(rest)),
        b'"' => (Kind::Text, quoted(rest, '"')),
        b'r' => (Kind::Text, raw_string(rest)?),
        b'\'' => (Kind::Character, character(rest)?),
        _ => return None,
    };
    Some(Piece { kind, range: at..at + length })
}

fn line_comment(rest: &str) -> (Kind, usize) {
    let kind = match rest {
        _ if rest.starts_with("//!") => Kind::ModuleDoc,
        _ if rest.starts_with("///") && !rest.starts_with("////") => Kind::DocComment,
        _ => Kind::Comment,
    };
    (kind, rest.find('\n').unwrap_or(rest.len()))
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a literal whose first character is its delimiter.
fn quoted(rest: &str, delimiter: char) -> usize {
    let mut is_escaped = false;
    for (offset, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if letter == delimiter => return offset + delimiter.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    let body = 1 + hashes + 1;
    if rest.as_bytes().get(body - 1) != Some(&b'"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest[body..].find(&end).map_or(rest.len(), |offset| body + offset + end.len()))
}

/// `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut letters = rest.char_indices().skip(1);
    let (_, first) = letters.next()?;
    let (_, second) = letters.next()?;
    (first == '\\' || second == '\'').then(|| quoted(rest, '\''))
}

#[cfg(test)]
mod tests {
    use super::{Kind, split};

    fn check(text: &str, expected: &[(Kind, &str)]) {
        let found: Vec<(Kind, &str)> = split(text).into_iter().map(|piece| (piece.kind, &text[piece.range])).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn doc_comments_are_distinguished_from_comments() {
        check(
            "//! a\n/// b\n//// c\nfn f() {} // d\n/* e /* f */ */",
            &[
                (Kind::ModuleDoc, "//! a"),
                (Kind::DocComment, "/// b"),
                (Kind::Comment, "//// c"),
                (Kind::Comment, "// d"),
                (Kind::Comment, "/* e /* f */ */"),
            ],
        );
    }

    #[test]
    fn slashes_and_quotes_in_literals_begin_nothing() {
        check(
            r##"let a = "// \" é"; let b = br#"x"y"#; let c = ('"', '\'', b'/'); let d: &'a str;"##,
            &[
                (Kind::Text, r#""// \" é""#),
                (Kind::Text, r##"r#"x"y"#"##),
                (Kind::Character, "'\"'"),
                (Kind::Character, "'\\''"),
                (Kind::Character, "'/'"),
            ],
        );
    }
}
