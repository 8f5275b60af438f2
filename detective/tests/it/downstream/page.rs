//! What a reader of `docs/alerts.md` sees.

const PAGE: &str = include_str!("../../../../docs/alerts.md");

/// The code block in which this word occurs first, and the block that follows: what it prints.
pub fn example(word: &str) -> (String, Vec<String>) {
    let blocks = blocks();
    let at = blocks.iter().position(|block| block.contains(word)).unwrap_or_else(|| panic!("no example of {word}"));
    (blocks[at].clone(), blocks[at + 1].lines().map(str::to_owned).collect())
}

/// The code block in which this word occurs first.
pub fn command(word: &str) -> String {
    example(word).0
}

/// The lines of a table, cell by cell, whose first column has this head. Code marks are left out.
pub fn table(head: &str) -> Vec<Vec<String>> {
    let begin = format!("| {head} |");
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(&begin)).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let table: Vec<Vec<String>> = lines.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!table.is_empty(), "no table of {head}");
    table
}

/// Indented lines without a line between them that is not.
fn blocks() -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in PAGE.lines() {
        match line.strip_prefix("    ") {
            Some(code) => blocks.last_mut().unwrap().push_str(&format!("{code}\n")),
            None => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}
