//! Checks the width of comments and pages, and that no module is hidden from the documentation.

use crate::source_file::SourceFile;

/// In columns, indentation included.
const WIDEST: usize = 100;

/// Checks all comments that begin a line, and all modules. Tables and lines of a single word, such
/// as an address, cannot be wrapped and pass.
pub fn check_crate(files: &[SourceFile], problems: &mut Vec<String>) {
    for file in files {
        let source = &file.source;
        for piece in &source.pieces {
            if !piece.kind.is_comment() {
                continue;
            }
            let line_start = source.text[..piece.range.start].rfind('\n').map_or(0, |at| at + 1);
            let indent = &source.text[line_start..piece.range.start];
            if indent.trim().is_empty() {
                let line = format!("{indent}{}", &source.text[piece.range.clone()]);
                check_width(&file.path, source.line_at(piece.range.start), &line, problems);
            }
        }
        for (at, _) in source.code.match_indices("#[doc(hidden)]") {
            let line = source.line_at(at);
            let is_module = source.code[at..].lines().skip(1).find(|line| !line.trim_start().starts_with('#'));
            if is_module.is_some_and(|item| item.split_whitespace().any(|word| word == "mod")) {
                problems.push(format!("{}:{line}: a module is hidden from the documentation", file.path));
            }
        }
    }
}

/// Checks the prose of a Markdown page: not its code, tables and links.
pub fn check_page(path: &str, text: &str, problems: &mut Vec<String>) {
    let mut is_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with("    ") && !line.contains("](") {
            check_width(path, number, line, problems);
        }
    }
}

fn check_width(path: &str, number: usize, line: &str, problems: &mut Vec<String>) {
    let width = line.chars().count();
    let mut words = line.split_whitespace().filter(|word| !matches!(*word, "//" | "///" | "//!"));
    let first = words.next().unwrap_or_default();
    if width > WIDEST && !first.starts_with('|') && words.next().is_some() {
        problems.push(format!("{path}:{number}: {width} columns, expected at most {WIDEST}"));
    }
}

#[cfg(test)]
mod tests {
    use super::{check_crate, check_page};
    use crate::{rust_source::RustSource, source_file::SourceFile};

    fn problems_of(text: String) -> Vec<String> {
        let mut problems = Vec::new();
        let file = SourceFile { path: "a.rs".to_owned(), source: RustSource::new(text) };
        check_crate(&[file], &mut problems);
        problems
    }

    #[test]
    fn a_wide_comment_is_reported_and_wide_code_is_not() {
        let wide = "word ".repeat(25);
        let expected = ["a.rs:2: 128 columns, expected at most 100"];
        assert_eq!(problems_of(format!("// short\n// {wide}\n")), expected);
        assert_eq!(problems_of(format!("f(\"{wide}\"); // {wide}\n/// | {wide}|\n")), [""; 0]);
        assert_eq!(problems_of(format!("// https://{}\n", "a".repeat(120))), [""; 0]);
    }

    #[test]
    fn a_hidden_module_is_reported_and_a_hidden_function_is_not() {
        let expected = ["a.rs:2: a module is hidden from the documentation"];
        assert_eq!(problems_of("fn f() {}\n#[doc(hidden)]\npub mod a;\n".to_owned()), expected);
        assert_eq!(problems_of("#[doc(hidden)]\npub fn f() {}\n".to_owned()), [""; 0]);
    }

    #[test]
    fn code_and_tables_of_a_page_may_be_wide() {
        let wide = "word ".repeat(25);
        let mut problems = Vec::new();
        check_page("a.md", &format!("```\n{wide}\n```\n    {wide}\n| {wide}|\n\n{wide}\n"), &mut problems);
        assert_eq!(problems, ["a.md:7: 125 columns, expected at most 100"]);
    }
}
