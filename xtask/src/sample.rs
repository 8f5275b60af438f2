//! Prints random names and doc comments of the workspace.
//!
//! A reader who has not seen the project says what each means; a wrong answer marks a name or a
//! comment to improve.

use clap::Args;
use rand::{SeedableRng, rngs::SmallRng, seq::IteratorRandom};

use crate::{
    repository,
    rust_source::{Kind, Owner, items, owner},
    source_file::{self, SourceFile},
};

/// What to print.
#[derive(Args)]
pub struct SampleArgs {
    /// How many names to print.
    #[arg(long, default_value_t = 30)]
    names: usize,
    /// How many doc comments to print.
    #[arg(long, default_value_t = 20)]
    docs: usize,
    /// Decides which.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Prints the names, then the doc comments, each list in random order.
///
/// # Errors
/// If a source file cannot be read.
pub fn run(args: &SampleArgs) -> anyhow::Result<()> {
    let mut names = Vec::new();
    let mut docs = Vec::new();
    for name in repository::crates()? {
        for file in source_file::read_crate(&name)? {
            if file.path.starts_with(&format!("{name}/src/")) {
                names.extend(names_of(&file));
                docs.extend(docs_of(&file));
            }
        }
    }
    let mut random = SmallRng::seed_from_u64(args.seed);
    println!(
        "{} of {} names, {} of {} doc comments, seed {}",
        args.names,
        names.len(),
        args.docs,
        docs.len(),
        args.seed
    );
    println!("\n## Names\n");
    for (number, name) in (1..).zip(names.into_iter().choose_multiple(&mut random, args.names)) {
        println!("{number}. {name}");
    }
    println!("\n## Doc comments\n");
    for (number, doc) in (1..).zip(docs.into_iter().choose_multiple(&mut random, args.docs)) {
        println!("{number}. {doc}\n");
    }
    Ok(())
}

/// The functions, types and constants of a file, with their path, without tests and without names
/// that a trait chose.
fn names_of(file: &SourceFile) -> Vec<String> {
    let module = module_path(&file.path);
    let code = &file.source.code;
    let items = items(code).into_iter();
    let items = items.filter(|item| item.kind != "mod" && !file.source.is_in_tests(item.offset));
    items
        .filter_map(|item| match owner(code, item.offset) {
            Some(Owner { is_trait_impl: true, .. }) => None,
            Some(Owner { name, .. }) => Some(format!("`{module}`: {} `{name}::{}`", item.kind, item.name)),
            None => Some(format!("`{module}`: {} `{}`", item.kind, item.name)),
        })
        .collect()
}

/// The doc comments of a file, each with the name of the item that it documents.
fn docs_of(file: &SourceFile) -> Vec<String> {
    let comments = file.source.comments().into_iter();
    let docs =
        comments.filter(|comment| comment.kind != Kind::Comment && !file.source.is_in_tests(comment.range.start));
    docs.map(|doc| {
        let name = if doc.kind == Kind::ModuleDoc {
            module_path(&file.path)
        } else {
            let name = name_after(&file.source.code[doc.range.end..]);
            owner(&file.source.code, doc.range.start).map_or(name.clone(), |owner| format!("{}::{name}", owner.name))
        };
        format!("`{name}`\n   {}", doc.text.replace('\n', "\n   "))
    })
    .collect()
}

/// `graph/src/anomaly/scale.rs` is `graph::anomaly::scale`.
fn module_path(path: &str) -> String {
    let path = path.trim_end_matches(".rs").trim_end_matches("/lib").trim_end_matches("/main");
    path.replace("/src", "").replace('/', "::")
}

/// The name of the item, field or variant that begins a code.
fn name_after(code: &str) -> String {
    let mut lines = code.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with("#[")).unwrap_or_default();
    let mut words =
        line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
    let keywords = [
        "pub", "crate", "super", "async", "unsafe", "const", "fn", "struct", "enum", "trait", "type", "static", "mod",
        "extern",
    ];
    words.find(|word| !keywords.contains(word)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{docs_of, module_path, name_after, names_of};
    use crate::{rust_source::RustSource, source_file::SourceFile};

    #[test]
    fn names_and_doc_comments_have_their_path_and_no_body() {
        let text =
            "//! A module.\n/// Adds.\n#[inline]\npub fn add(a: u8) {}\nstruct B {\n    /// A field.\n    c: u8,\n}\n";
        let file = SourceFile { path: "graph/src/a/b.rs".to_owned(), source: RustSource::new(text.to_owned()) };
        assert_eq!(names_of(&file), ["`graph::a::b`: fn `add`", "`graph::a::b`: struct `B`"]);
        assert_eq!(docs_of(&file), ["`graph::a::b`\n   A module.", "`add`\n   Adds.", "`B::c`\n   A field."]);
        assert_eq!(module_path("graph/src/lib.rs"), "graph");
        assert_eq!(name_after("\n    pub(crate) const fn size() {}"), "size");
    }
}
