//! Finds words and names that the glossary bans, in comments, messages, names and pages.

use super::glossary::Glossary;
use crate::{
    rust_source::{Item, Kind, items},
    source_file::SourceFile,
};

/// Checks comments, string literals outside of tests, and the names of all items.
pub fn check_crate(glossary: &Glossary, files: &[SourceFile], problems: &mut Vec<String>) {
    for file in files {
        let mut report = |offset: usize, what: &str, word: &str| {
            problems.push(format!("{}:{}: {what} says `{word}`", file.path, file.source.line_at(offset)));
        };
        for comment in file.source.comments() {
            for word in banned_words(glossary, &comment.text) {
                report(comment.range.start, "a comment", word);
            }
        }
        for piece in &file.source.pieces {
            if piece.kind == Kind::Text && !file.source.is_in_tests(piece.range.start) && !is_test_file(&file.path) {
                for word in banned_words(glossary, &file.source.text[piece.range.clone()]) {
                    report(piece.range.start, "a message", word);
                }
            }
        }
        for item in items(&file.source.code) {
            if let Some(word) = banned_name(glossary, &item) {
                problems.push(format!(
                    "{}:{}: the name `{}` says `{word}`",
                    file.path,
                    file.source.line_at(item.offset),
                    item.name
                ));
            }
        }
    }
}

/// Checks a Markdown page, its code excepted.
pub fn check_page(glossary: &Glossary, path: &str, text: &str, problems: &mut Vec<String>) {
    // The glossary lists the words, and the change log says which were replaced.
    if matches!(path, "docs/glossary.md" | "CHANGELOG.md") {
        return;
    }
    for word in banned_words(glossary, text) {
        problems.push(format!("{path}: the page says `{word}`"));
    }
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

fn banned_words<'g>(glossary: &'g Glossary, text: &str) -> Vec<&'g str> {
    let words = spaced_words(text);
    glossary.words.iter().map(String::as_str).filter(|word| words.contains(&format!(" {word} "))).collect()
}

/// The words of a text in lower case, with one space around each. Code is left out, and punctuation
/// counts as a word, so that no phrase is found across it.
fn spaced_words(text: &str) -> String {
    let mut words = String::from(" ");
    let mut is_fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            words.push_str(line);
            words.push(' ');
        }
    }
    let prose = words.split('`').step_by(2).collect::<Vec<_>>().join(" ` ");
    let is_in_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '\'' | '-');
    let mut spaced = String::from(" ");
    for letter in prose.chars() {
        match letter {
            _ if letter.is_whitespace() => spaced.push(' '),
            _ if is_in_word(letter) => spaced.extend(letter.to_lowercase()),
            _ => spaced.push_str(" . "),
        }
    }
    let spaced: Vec<&str> = spaced.split_whitespace().collect();
    format!(" {} ", spaced.join(" "))
}

fn banned_name<'g>(glossary: &'g Glossary, item: &Item) -> Option<&'g str> {
    let names = match item.kind {
        "struct" | "enum" | "trait" | "type" => glossary.types.as_slice(),
        "fn" => glossary.functions.as_slice(),
        _ => &[],
    };
    if let Some(name) = names.iter().find(|name| **name == item.name) {
        return Some(name);
    }
    let words = format!(" {} ", words_of_name(&item.name).join(" "));
    glossary.words.iter().map(String::as_str).find(|word| words.contains(&format!(" {word} ")))
}

/// `BlockingReader` and `blocking_reader` have two words each.
fn words_of_name(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lowercase = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && was_lowercase) {
            words.push(String::new());
        }
        was_lowercase = letter.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{check_crate, check_page, words_of_name};
    use crate::{rust_source::RustSource, source_file::SourceFile, tidy::glossary::Glossary};

    fn glossary() -> Glossary {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Glossary { words: list(&["is told", "whom"]), types: list(&["Deed"]), functions: list(&["of"]) }
    }

    fn check(text: &str, expected: &[&str]) {
        let mut problems = Vec::new();
        let file = SourceFile { path: "a.rs".to_owned(), source: RustSource::new(text.to_owned()) };
        check_crate(&glossary(), &[file], &mut problems);
        assert_eq!(problems, expected);
    }

    #[test]
    fn a_phrase_is_found_across_the_lines_of_a_comment() {
        check("\n/// Who is\n/// Told, and is. Told\nconst A: u8 = 1;", &["a.rs:2: a comment says `is told`"]);
    }

    #[test]
    fn code_in_comments_and_messages_of_tests_pass() {
        check("// `whom`, whomsoever\n#[cfg(test)]\nmod tests { const A: &str = \"whom\"; }", &[]);
        check("const A: &str = \"for whom\";", &["a.rs:1: a message says `whom`"]);
    }

    #[test]
    fn names_are_checked_word_by_word_and_as_a_whole() {
        check(
            "struct Deed;\nfn of() {}\nfn fool() {}",
            &["a.rs:1: the name `Deed` says `Deed`", "a.rs:2: the name `of` says `of`"],
        );
        check("fn the_host_is_told() {}", &["a.rs:1: the name `the_host_is_told` says `is told`"]);
        assert_eq!(words_of_name("MADToSigma_x"), ["madto", "sigma", "x"]);
    }

    #[test]
    fn a_page_is_checked_without_its_code() {
        let mut problems = Vec::new();
        check_page(&glossary(), "a.md", "```\nwhom\n```\nby `whom`\n", &mut problems);
        check_page(&glossary(), "b.md", "by whom\n", &mut problems);
        check_page(&glossary(), "CHANGELOG.md", "by whom\n", &mut problems);
        assert_eq!(problems, ["b.md: the page says `whom`"]);
    }
}
