//! Names of programs and files, and what stays the same in names with numbers.

/// The part of a path after its last slash.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Replaces each run of digits and each random-looking word (eight or more hexadecimal digits,
/// UUIDs) by `#`, and control characters by `?`.
pub fn fold_digits(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let word = rest.split(|character: char| !character.is_ascii_alphanumeric()).next().unwrap_or_default();
        let taken = match random_length(rest, word) {
            Some(length) => {
                push_folded(&mut folded, '#');
                length
            }
            None if word.is_empty() => {
                push_folded(&mut folded, character);
                character.len_utf8()
            }
            None => {
                word.chars().for_each(|character| push_folded(&mut folded, character));
                word.len()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    folded
}

fn push_folded(folded: &mut String, character: char) {
    match character {
        '0'..='9' | '#' if folded.ends_with('#') => {}
        '0'..='9' => folded.push('#'),
        _ if character.is_control() => folded.push('?'),
        _ => folded.push(character),
    }
}

/// Returns the number of bytes at the start of `text` that are a UUID, or a hexadecimal `word` that
/// looks random.
fn random_length(text: &str, word: &str) -> Option<usize> {
    const UUID: [usize; 5] = [8, 4, 4, 4, 12];
    let is_hex = |part: &str| part.bytes().all(|digit| digit.is_ascii_hexdigit());
    if word.len() < 8 || !is_hex(word) || !word.bytes().any(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let uuid_length = UUID.iter().sum::<usize>() + UUID.len() - 1;
    let is_uuid = text.get(..uuid_length).is_some_and(|uuid| {
        let mut parts = uuid.split('-');
        UUID.iter().all(|length| parts.next().is_some_and(|part| part.len() == *length && is_hex(part)))
            && parts.next().is_none()
    });
    Some(if is_uuid { uuid_length } else { word.len() })
}

#[cfg(test)]
mod tests {
    use super::fold_digits;

    #[test]
    fn digits_and_random_words_are_folded() {
        for (text, folded) in [
            ("/var/log/app-2024.10.log", "/var/log/app-#.#.log"),
            ("/tmp/run-8d305e0e-5847-400c-bd2a-93aab747e263/out", "/tmp/run-#/out"),
            ("/objects/a9acb19a67bc5637.o", "/objects/#.o"),
            ("/srv/facade/decade/cafe1", "/srv/facade/decade/cafe#"),
            ("a\nb#7", "a?b#"),
            ("é7é", "é#é"),
        ] {
            assert_eq!(fold_digits(text), folded);
        }
    }
}
