//! What looks like a secret itself, whatever stands before it.

use super::HIDDEN;

/// How the tokens of well-known services begin. A token has at least eight characters more.
const BEGINNINGS: [&str; 32] = [
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "eyJ",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "xoxa-",
    "xoxb-",
    "xoxe-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "sk-",
    "sk_",
    "pk_",
    "rk_",
    "hf_",
    "hvs.",
    "npm_",
    "pypi-",
    "dop_v1_",
    "SG.",
    "shpat_",
    "dckr_pat_",
];

/// So many letters and digits, one kind and the other in turn, are no name that anybody has given.
const LONG: usize = 24;

/// The text without what looks like a secret; none if nothing does.
pub fn hidden(text: &str) -> Option<String> {
    let mut shown = String::with_capacity(text.len());
    let mut is_hidden = false;
    for run in runs(text) {
        match begin(run) {
            Some(begin) => {
                shown.push_str(run.get(..begin).unwrap_or_default());
                shown.push_str(HIDDEN);
                is_hidden = true;
            }
            None => shown.push_str(run),
        }
    }
    is_hidden.then_some(shown)
}

/// The text in pieces: those that a token can consist of, and those between them.
fn runs(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let kind = is_of_token(text.chars().next()?);
        let end = text.find(|character| is_of_token(character) != kind).unwrap_or(text.len());
        let (run, rest) = text.split_at_checked(end)?;
        text = rest;
        Some(run)
    })
}

fn is_of_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '/' | '=' | '_' | '-' | '.')
}

fn begin(run: &str) -> Option<usize> {
    [well_known(run), hexadecimal(run), random(run)].into_iter().flatten().min()
}

fn well_known(run: &str) -> Option<usize> {
    let begins = |at: &usize| {
        let (before, after) = run.split_at_checked(*at).unwrap_or_default();
        let is_start = !before.ends_with(|character: char| character.is_ascii_alphanumeric());
        is_start
            && BEGINNINGS.iter().any(|beginning| after.len() >= beginning.len() + 8 && after.starts_with(beginning))
    };
    (0..run.len()).find(begins)
}

fn hexadecimal(run: &str) -> Option<usize> {
    let mut begin = 0;
    for part in run.split(|character: char| !character.is_ascii_hexdigit()) {
        if part.len() >= LONG {
            return Some(begin);
        }
        begin += part.len() + 1;
    }
    None
}

/// Where a random text begins, at the latest: at the beginning of the run, or behind a key.
fn random(run: &str) -> Option<usize> {
    match run.split_once('=') {
        Some((key, value)) if is_random(value) && !is_random(key) => Some(key.len() + 1),
        _ => is_random(run).then_some(0),
    }
}

fn is_random(text: &str) -> bool {
    let kinds: Vec<Kind> = text.bytes().filter_map(Kind::of).collect();
    kinds.windows(LONG).any(|window| {
        let changes = window.iter().zip(window.iter().skip(1)).filter(|(one, other)| one != other).count();
        // Of random letters and digits more than half differ in kind from the one before; in words that somebody chose few do.
        changes >= if window.contains(&Kind::Digit) { LONG * 3 / 10 } else { LONG * 4 / 10 }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Upper,
    Lower,
    Digit,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        match byte {
            b'A'..=b'Z' => Some(Kind::Upper),
            b'a'..=b'z' => Some(Kind::Lower),
            b'0'..=b'9' => Some(Kind::Digit),
            _ => None,
        }
    }
}
