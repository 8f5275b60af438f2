//! Joins the lines of comments.

use std::ops::Range;

use super::{Kind, RustSource};

/// Comments of one kind on consecutive lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// A kind of comment.
    pub kind: Kind,
    /// From the first line's slashes to the end of the last line.
    pub range: Range<usize>,
    /// The text without slashes and indentation, with its line breaks.
    pub text: String,
}

impl RustSource {
    /// All comments, those on consecutive lines joined.
    pub fn comments(&self) -> Vec<Comment> {
        let mut comments: Vec<Comment> = Vec::new();
        for piece in self.pieces.iter().filter(|piece| piece.kind.is_comment()) {
            let line = &self.text[piece.range.clone()];
            let line = line.trim_start_matches(['/', '!', '*']).trim_end_matches(['/', '*']).trim();
            let continues = |last: &&mut Comment| {
                let between = &self.text[last.range.end..piece.range.start];
                last.kind == piece.kind && between.trim().is_empty() && between.matches('\n').count() == 1
            };
            match comments.last_mut().filter(continues) {
                Some(last) => {
                    last.range.end = piece.range.end;
                    last.text.push('\n');
                    last.text.push_str(line);
                }
                None => comments.push(Comment { kind: piece.kind, range: piece.range.clone(), text: line.to_owned() }),
            }
        }
        comments
    }
}

#[cfg(test)]
mod tests {
    use super::RustSource;

    #[test]
    fn lines_of_one_kind_are_joined() {
        let source = RustSource::new("//! a\n//! b\n\n//! c\n// d\nfn f() {} // e\n// f\n".to_owned());
        let texts: Vec<String> = source.comments().into_iter().map(|comment| comment.text).collect();
        assert_eq!(texts, ["a\nb", "c", "d", "e\nf"]);
    }
}
