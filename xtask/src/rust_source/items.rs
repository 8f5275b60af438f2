//! Finds the names that a file declares.

/// A declared name.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The keyword that declares it, such as `fn`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// Where its keyword is in the file.
    pub offset: usize,
}

const KEYWORDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "mod"];

/// The functions, types, constants and modules that the code declares, at any depth. Fields,
/// variants and local variables are left out. The code must not contain comments or literals.
pub fn items(code: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut words = words(code).peekable();
    let mut before = 0;
    while let Some((offset, word)) = words.next() {
        let gap = code[before..offset].trim_end();
        before = offset + word.len();
        let Some(kind) = KEYWORDS.iter().find(|keyword| **keyword == word) else { continue };
        // `<const N: usize>` is a parameter, `&'static str` is a type.
        if gap.ends_with(['<', ',', '*', '\'']) || gap.ends_with("r#") {
            continue;
        }
        let Some((at, name)) = words.peek().copied() else { break };
        let is_adjacent = code[before..at].trim().is_empty();
        if is_adjacent && !KEYWORDS.contains(&name) && !matches!(name, "_" | "mut" | "unsafe" | "extern" | "async") {
            items.push(Item { kind, name: name.to_owned(), offset });
        }
    }
    items
}

/// Identifiers, keywords and numbers, each with its offset.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let is_in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let start = rest + code[rest..].find(is_in_word)?;
        let length = code[start..].find(|letter| !is_in_word(letter)).unwrap_or(code.len() - start);
        rest = start + length;
        Some((start, &code[start..rest]))
    })
}

#[cfg(test)]
mod tests {
    use super::items;

    #[test]
    fn declared_names_are_found_and_parameters_are_not() {
        let code = "pub mod a; const fn b<const N: usize>(c: fn(u8), d: *const u8) { struct E; } const _: () = (); \
                    impl F { type G = u8; const H: u8 = 1; } static mut I: u8 = 0; struct J(&'static str);";
        let names: Vec<String> = items(code).into_iter().map(|item| format!("{} {}", item.kind, item.name)).collect();
        assert_eq!(names, ["mod a", "fn b", "struct E", "type G", "const H", "struct J"]);
    }
}
