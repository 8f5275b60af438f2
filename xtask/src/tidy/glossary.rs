//! Reads from `docs/glossary.md` which words and names the project does not use.

use anyhow::{Context, ensure};

use crate::repository::{read, root};

const PAGE: &str = "docs/glossary.md";
const WORDS: &str = "## Words we do not use";
const TYPES: &str = "## Names of types we do not use";
const FUNCTIONS: &str = "## Names of functions we do not use";

/// Words and names that the project does not use.
pub struct Glossary {
    /// Words and phrases, in lower case.
    pub words: Vec<String>,
    /// Names of types.
    pub types: Vec<String>,
    /// Names of functions.
    pub functions: Vec<String>,
}

impl Glossary {
    /// Reads the lists of the page.
    ///
    /// # Errors
    /// If the page cannot be read, or a list is missing.
    pub fn read() -> anyhow::Result<Glossary> {
        Glossary::parse(&read(&root().join(PAGE))?)
    }

    fn parse(page: &str) -> anyhow::Result<Glossary> {
        let words = list(page, WORDS)?.into_iter().map(|word| word.to_lowercase()).collect();
        Ok(Glossary { words, types: list(page, TYPES)?, functions: list(page, FUNCTIONS)? })
    }
}

/// The first cells of the table below a heading, split at commas.
fn list(page: &str, heading: &str) -> anyhow::Result<Vec<String>> {
    let (_, section) =
        page.split_once(&format!("{heading}\n")).with_context(|| format!("`{PAGE}` has no section `{heading}`"))?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    // The first two rows are the head of the table.
    let names = rows.skip(2).flat_map(|cell| cell.split(','));
    let names: Vec<String> = names.map(|name| name.trim().trim_matches('`').to_owned()).collect();
    ensure!(!names.is_empty(), "the section `{heading}` of `{PAGE}` has no table");
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::Glossary;

    #[test]
    fn the_lists_are_the_first_cells_of_their_tables() {
        let page = "## Words we do not use\nWhy.\n\n| word | instead |\n|---|---|\n| Is told, whom | reads |\n\
                    ## Names of types we do not use\n| a | b |\n|---|---|\n| `Deed` | c |\n\
                    ## Names of functions we do not use\n| a | b |\n|---|---|\n| `of` | c |\n";
        let glossary = Glossary::parse(page).unwrap();
        assert_eq!(glossary.words, ["is told", "whom"]);
        assert_eq!(glossary.types, ["Deed"]);
        assert_eq!(glossary.functions, ["of"]);
        assert!(Glossary::parse("## Words we do not use\n").is_err());
    }
}
