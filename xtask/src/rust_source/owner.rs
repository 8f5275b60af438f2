//! Finds the block that contains an item, a field or a variant.

/// A block of code with a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Owner<'c> {
    /// The type or function.
    pub name: &'c str,
    /// Whether the block implements a trait, which then chooses the names in it.
    pub is_trait_impl: bool,
}

/// The outermost type or function whose block contains the offset. The code must be formatted by
/// rustfmt and must not contain comments or literals.
pub fn owner(code: &str, offset: usize) -> Option<Owner<'_>> {
    let before = &code[..offset];
    let block = &before[before.rfind("\n}").map_or(0, |end| end + 2)..];
    block.lines().rev().find_map(|line| parse_head(line.trim_end().strip_suffix('{')?))
}

/// Parses the line that begins a block, such as `impl<'a> Read for File<'a>`.
fn parse_head(line: &str) -> Option<Owner<'_>> {
    if let Some(rest) = line.strip_prefix("impl") {
        let rest = skip_generics(rest);
        let (name, is_trait_impl) = rest.split_once(" for ").map_or((rest, false), |(_, name)| (name, true));
        return Some(Owner { name: first_name(name)?, is_trait_impl });
    }
    let mut words = line.split(' ').filter(|_| !line.starts_with(' '));
    words.find(|word| ["struct", "enum", "trait", "fn"].contains(word))?;
    Some(Owner { name: first_name(words.next()?)?, is_trait_impl: false })
}

fn skip_generics(text: &str) -> &str {
    let mut depth = 0_usize;
    for (offset, letter) in text.char_indices() {
        match letter {
            '<' => depth += 1,
            // `->` ends a parameter list, not generics.
            '>' if !text[..offset].ends_with('-') => depth = depth.saturating_sub(1),
            _ if depth == 0 => return &text[offset..],
            _ => {}
        }
    }
    ""
}

fn first_name(text: &str) -> Option<&str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Owner, owner};

    #[test]
    fn the_block_around_an_item_is_found() {
        let code = "pub struct A<T> {\n    b: T,\n}\nimpl<T: Fn(u8) -> u8> A<T> {\n    fn c() {\n        if d {\n            e();\n        \
                    }\n    }\n}\nimpl From<u8> for G<'_> {\n    fn from() {}\n}\nconst fn h() {\n    const I: u8 = 1;\n}\nstatic J: u8 = 2;\n";
        let found = |item: &str| {
            owner(code, code.find(item).unwrap()).map(|Owner { name, is_trait_impl }| (name, is_trait_impl))
        };
        assert_eq!(found("struct A"), None);
        assert_eq!(found("b: T"), Some(("A", false)));
        assert_eq!(found("fn c"), Some(("A", false)));
        assert_eq!(found("e()"), Some(("A", false)));
        assert_eq!(found("fn from"), Some(("G", true)));
        assert_eq!(found("const I"), Some(("h", false)));
        assert_eq!(found("static J"), None);
    }
}
