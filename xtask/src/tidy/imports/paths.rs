//! Reads paths such as `crate::a::B` from code.

/// A name that a `use` brings into a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// Whether it is re-exported.
    pub is_public: bool,
    /// The path as it is written, without braces.
    pub path: Vec<String>,
    /// The name by which the file knows it.
    pub name: String,
}

/// The `use` items of a code without comments, literals and tests, and the rest of the code.
pub fn split_uses(code: &str) -> (Vec<Use>, String) {
    let mut uses = Vec::new();
    let mut rest = String::new();
    let mut remaining = code;
    while let Some(at) = find_use(remaining) {
        let (before, item) = remaining.split_at(at);
        let end = item.find(';').map_or(item.len(), |at| at + 1);
        let is_public = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
        let tree: String = item[4..end].trim_end_matches(';').split_whitespace().collect::<Vec<_>>().join(" ");
        expand(&tree, &[], is_public, &mut uses);
        rest.push_str(before);
        remaining = &item[end..];
    }
    rest.push_str(remaining);
    (uses, rest)
}

/// Where an item `use ` begins.
fn find_use(code: &str) -> Option<usize> {
    let starts_item = |before: &str| {
        let before = before.trim_end();
        before.is_empty() || before.ends_with([';', '}', '{', ']', ')']) || before.ends_with("pub")
    };
    let is_word = |at: usize| !code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    code.match_indices("use ").map(|(at, _)| at).find(|at| is_word(*at) && starts_item(&code[..*at]))
}

/// Adds each leaf of a tree such as `a::{b, c::d as e}`.
fn expand(tree: &str, prefix: &[String], is_public: bool, uses: &mut Vec<Use>) {
    let tree = tree.trim();
    if let Some((head, inner)) = tree.split_once('{') {
        let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
        let prefix = [prefix, &segments(head)].concat();
        for branch in split_at_commas(inner) {
            expand(branch, &prefix, is_public, uses);
        }
        return;
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let mut path = [prefix, &segments(path)].concat();
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(last) = path.last() {
        let name = alias.unwrap_or(last).to_owned();
        uses.push(Use { is_public, path, name });
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

/// Splits at the commas that are outside of braces.
fn split_at_commas(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let is_end = |letter: char| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    };
    text.split(is_end).map(str::trim).filter(|branch| !branch.is_empty()).collect()
}

/// All paths of at least two segments in a code without `use` items.
pub fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let is_in_path = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':');
    let words = code.split(|letter| !is_in_path(letter));
    words.filter(|word| word.contains("::") && !word.starts_with(':')).map(segments).collect()
}

#[cfg(test)]
mod tests {
    use super::{inline_paths, split_uses};

    #[test]
    fn trees_are_expanded() {
        let code = "use a::{self, b::{C, D as E}};\npub(crate) use super::f;\nfn reuse () { use crate::g::*; h::i() }";
        let (uses, rest) = split_uses(code);
        let shown: Vec<String> =
            uses.iter().map(|one| format!("{} {} {}", one.is_public, one.path.join("::"), one.name)).collect();
        assert_eq!(
            shown,
            ["false a a", "false a::b::C C", "false a::b::D E", "true super::f f", "false crate::g::* *"]
        );
        assert_eq!(inline_paths(&rest), [["h", "i"]]);
    }
}
