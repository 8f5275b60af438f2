//! Tokens: secrets that are recognised by their form alone.

use super::REDACTED;

/// Prefixes of the tokens of well-known services. At least eight more characters follow.
const PREFIXES: [&str; 32] = [
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

/// Hexadecimal numbers and random texts of at least this many characters count as tokens.
const MIN_LENGTH: usize = 24;

/// Replaces all tokens in a text. `None` if there are none.
pub fn redact_tokens(text: &str) -> Option<String> {
    let mut redacted = String::with_capacity(text.len());
    let mut is_redacted = false;
    for run in runs(text) {
        match find_token(run) {
            Some(start) => {
                redacted.push_str(run.get(..start).unwrap_or_default());
                redacted.push_str(REDACTED);
                is_redacted = true;
            }
            None => redacted.push_str(run),
        }
    }
    is_redacted.then_some(redacted)
}

/// Splits a text into runs of characters that can and that cannot be part of a token.
fn runs(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let kind = is_token_character(text.chars().next()?);
        let end = text.find(|character| is_token_character(character) != kind).unwrap_or(text.len());
        let (run, rest) = text.split_at_checked(end)?;
        text = rest;
        Some(run)
    })
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '/' | '=' | '_' | '-' | '.')
}

/// Start of the first token in a run.
fn find_token(run: &str) -> Option<usize> {
    [find_well_known(run), find_hexadecimal(run), find_random(run)].into_iter().flatten().min()
}

fn find_well_known(run: &str) -> Option<usize> {
    let is_token = |at: &usize| {
        let (before, after) = run.split_at_checked(*at).unwrap_or_default();
        let is_start = !before.ends_with(|character: char| character.is_ascii_alphanumeric());
        is_start && PREFIXES.iter().any(|prefix| after.len() >= prefix.len() + 8 && after.starts_with(prefix))
    };
    (0..run.len()).find(is_token)
}

fn find_hexadecimal(run: &str) -> Option<usize> {
    let mut start = 0;
    for part in run.split(|character: char| !character.is_ascii_hexdigit()) {
        if part.len() >= MIN_LENGTH {
            return Some(start);
        }
        start += part.len() + 1;
    }
    None
}

/// Start of a random text, or earlier: the start of the run, or of the value after a key.
fn find_random(run: &str) -> Option<usize> {
    match run.split_once('=') {
        Some((key, value)) if is_random(value) && !is_random(key) => Some(key.len() + 1),
        _ => is_random(run).then_some(0),
    }
}

fn is_random(text: &str) -> bool {
    let kinds: Vec<CharacterKind> = text.bytes().filter_map(CharacterKind::from_byte).collect();
    kinds.windows(MIN_LENGTH).any(|window| {
        let changes = window.iter().zip(window.iter().skip(1)).filter(|(one, other)| one != other).count();
        // More than half of random characters differ in kind from the one before; few in chosen
        // words do.
        changes >= if window.contains(&CharacterKind::Digit) { MIN_LENGTH * 3 / 10 } else { MIN_LENGTH * 4 / 10 }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CharacterKind {
    Upper,
    Lower,
    Digit,
}

impl CharacterKind {
    fn from_byte(byte: u8) -> Option<CharacterKind> {
        match byte {
            b'A'..=b'Z' => Some(CharacterKind::Upper),
            b'a'..=b'z' => Some(CharacterKind::Lower),
            b'0'..=b'9' => Some(CharacterKind::Digit),
            _ => None,
        }
    }
}
