//! Checks what neither the compiler nor clippy checks.
//!
//! Every check appends its findings to one list, so that a run reports all of them.

use anyhow::bail;

use crate::{
    repository::{self, crates, root},
    source_file,
};
use glossary::Glossary;

mod comments;
mod dependencies;
mod glossary;
mod imports;
mod records;
mod sizes;
mod wording;

/// Runs all checks and prints what they find.
///
/// # Errors
/// If a check finds something, or a file cannot be read.
pub fn run() -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let crates = crates()?;
    dependencies::check(&crates, &mut problems)?;
    records::check(&mut problems)?;
    let glossary = Glossary::read()?;
    let mut sources = Vec::new();
    for name in &crates {
        let files = source_file::read_crate(name)?;
        sizes::check_files(&files, &mut problems);
        sizes::check_crate(name, &files, &mut problems);
        comments::check_crate(&files, &mut problems);
        imports::check(name, &files, &mut problems);
        wording::check_crate(&glossary, &files, &mut problems);
        sources.extend(files);
    }
    check_pages(&glossary, &mut problems)?;
    println!("{}", sizes::describe_median(&sources));
    if problems.is_empty() {
        println!("tidy");
        return Ok(());
    }
    bail!("{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

fn check_pages(glossary: &Glossary, problems: &mut Vec<String>) -> anyhow::Result<()> {
    for path in repository::files(root(), "md")? {
        let shown = repository::shown(&path);
        let text = repository::read(&path)?;
        comments::check_page(&shown, &text, problems);
        wording::check_page(glossary, &shown, &text, problems);
    }
    Ok(())
}
