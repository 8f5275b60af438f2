//! Checks what neither the compiler nor clippy checks.
//!
//! Every check appends its findings to one list, so that a run reports all of them.

use anyhow::bail;
use clap::Args;

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

/// Crates that do not pass the checks of wording, comments, imports and crate size yet.
const NOT_YET_CHECKED: &[&str] = &["xtask"];

/// Pages that do not pass the checks of wording and width yet.
const PAGES_NOT_YET_CHECKED: &[&str] = &["README.md", "CONTRIBUTING.md", "docs/", "deploy/"];

/// What to check.
#[derive(Args, Default)]
pub struct TidyArgs {
    /// Also check the crates and pages that are still exempt, or only these of the crates.
    #[arg(long, value_name = "CRATE", num_args = 0..)]
    exempt: Option<Vec<String>>,
}

/// Runs all checks and prints what they find.
///
/// # Errors
/// If a check finds something, or a file cannot be read.
pub fn run(args: &TidyArgs) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let crates = crates()?;
    dependencies::check(&crates, &mut problems)?;
    records::check(&mut problems)?;
    let glossary = Glossary::read()?;
    let mut sources = Vec::new();
    for name in &crates {
        let files = source_file::read_crate(name)?;
        sizes::check_files(&files, &mut problems);
        if args.includes(name) {
            sizes::check_crate(name, &files, &mut problems);
            comments::check_crate(&files, &mut problems);
            imports::check(name, &files, &mut problems);
            wording::check_crate(&glossary, &files, &mut problems);
        }
        sources.extend(files);
    }
    check_pages(args, &glossary, &mut problems)?;
    println!("{}", sizes::describe_median(&sources));
    if problems.is_empty() {
        println!("tidy");
        return Ok(());
    }
    bail!("{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

impl TidyArgs {
    fn includes(&self, name: &str) -> bool {
        let asked = |names: &Vec<String>| names.is_empty() || names.iter().any(|asked| asked == name);
        !NOT_YET_CHECKED.contains(&name) || self.exempt.as_ref().is_some_and(asked)
    }
}

fn check_pages(args: &TidyArgs, glossary: &Glossary, problems: &mut Vec<String>) -> anyhow::Result<()> {
    for path in repository::files(root(), "md")? {
        let shown = repository::shown(&path);
        let is_exempt = PAGES_NOT_YET_CHECKED.iter().any(|exempt| shown.starts_with(exempt));
        if is_exempt && !args.exempt.as_ref().is_some_and(Vec::is_empty) {
            continue;
        }
        let text = repository::read(&path)?;
        comments::check_page(&shown, &text, problems);
        wording::check_page(glossary, &shown, &text, problems);
    }
    Ok(())
}
