//! Examples and tables of `docs/alerts.md`.

const PAGE: &str = include_str!("../../../../docs/alerts.md");

/// The first code block that contains `text`, and the lines of the next block: its output.
pub fn example(text: &str) -> (String, Vec<String>) {
    let blocks = blocks();
    let index = blocks.iter().position(|block| block.contains(text)).unwrap_or_else(|| panic!("no example of {text}"));
    (blocks[index].clone(), blocks[index + 1].lines().map(str::to_owned).collect())
}

/// The first code block that contains `text`.
pub fn command(text: &str) -> String {
    example(text).0
}

/// The cells of each row of the table whose first column has this head, without backticks.
pub fn table(head: &str) -> Vec<Vec<String>> {
    let begin = format!("| {head} |");
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(&begin)).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let table: Vec<Vec<String>> = lines.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!table.is_empty(), "no table of {head}");
    table
}

/// Blocks of consecutive indented lines.
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
