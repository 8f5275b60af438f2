//! Finds circles of imports between the files of a crate.
//!
//! A file imports another if it names something of it in a `use` or in a path that begins with
//! `crate`, `super`, `self` or a child module. A re-export (`pub use`) is not an import: a path
//! through it leads to the file that it names. Not seen: paths that a macro builds, glob imports
//! through a re-export, methods, and what inline modules import by `super`.

use std::collections::BTreeSet;

use crate::source_file::SourceFile;
use modules::Modules;

mod circles;
mod modules;
mod paths;

/// Checks that files import each other in pairs at most, and folders not at all.
///
/// A folder counts as one among its siblings; a module and its own folder may import each other.
pub fn check(name: &str, files: &[SourceFile], problems: &mut Vec<String>) {
    let modules = Modules::read(&format!("{name}/src/"), files);
    let imports = modules.imports();
    for circle in circles::find(&imports, 3) {
        problems.push(format!("{name}: files import each other in a circle: {}", join(&circle)));
    }
    for folder in modules.folders() {
        let siblings: BTreeSet<(String, String)> = imports
            .iter()
            .filter_map(|(from, to)| Some((child_of(&folder, from)?, child_of(&folder, to)?)))
            .filter(|(from, to)| from != to)
            .collect();
        for circle in circles::find(&siblings, 2) {
            if circle.iter().any(|module| modules.is_folder(module)) {
                problems.push(format!("{name}: folders import each other: {}", join(&circle)));
            }
        }
    }
}

/// The module directly below a folder that a module is in; `None` for the folder's own module.
fn child_of(folder: &str, module: &str) -> Option<String> {
    let inner = if folder.is_empty() { module } else { module.strip_prefix(folder)?.strip_prefix("::")? };
    let child = inner.split("::").next().filter(|child| !child.is_empty())?;
    Some(modules::join(folder, child))
}

fn join(circle: &[String]) -> String {
    let mut names: Vec<&str> =
        circle.iter().map(|module| if module.is_empty() { "the crate's root" } else { module.as_str() }).collect();
    names.push(names[0]);
    names.join(" -> ")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::{rust_source::RustSource, source_file::SourceFile};

    fn check_files(files: &[(&str, &str)], expected: &[&str]) {
        let source = |(path, text): &(&str, &str)| SourceFile {
            path: format!("a/src/{path}"),
            source: RustSource::new((*text).to_owned()),
        };
        let files: Vec<SourceFile> = files.iter().map(source).collect();
        let mut problems = Vec::new();
        check("a", &files, &mut problems);
        assert_eq!(problems, expected);
    }

    #[test]
    fn two_files_may_import_each_other_and_three_may_not() {
        let root = ("lib.rs", "mod b; mod c; mod d;");
        check_files(&[root, ("b.rs", "use crate::c::C;"), ("c.rs", "fn f() { super::b::g() }")], &[]);
        check_files(
            &[root, ("b.rs", "use crate::{c::{C, E}};"), ("c.rs", "use super::d;"), ("d.rs", "use crate::b::B;")],
            &["a: files import each other in a circle: b -> c -> d -> b"],
        );
    }

    #[test]
    fn a_path_through_a_reexport_leads_to_its_file() {
        let root = ("lib.rs", "mod b; mod c; pub use b::B; pub use c::C;");
        check_files(&[root, ("b.rs", "use crate::C;"), ("c.rs", "")], &[]);
    }

    #[test]
    fn tests_import_what_they_like() {
        let root = ("lib.rs", "mod b; mod c; mod d;");
        let tests = "use crate::c::C; #[cfg(test)] mod tests { use crate::d::D; }";
        check_files(&[root, ("b.rs", tests), ("c.rs", ""), ("d.rs", "use crate::b::B;")], &[]);
    }

    #[test]
    fn folders_that_import_each_other_are_reported_even_if_no_files_do() {
        check_files(
            &[
                ("lib.rs", "mod b; mod c;"),
                ("b.rs", "mod x; mod y;"),
                ("b/x.rs", "use crate::c::z::Z;"),
                ("b/y.rs", ""),
                ("c.rs", "mod z; mod w; pub fn f() { w::g() }"),
                ("c/z.rs", ""),
                ("c/w.rs", "use crate::b::y::Y; use super::h;"),
            ],
            &["a: folders import each other: b -> c -> b"],
        );
    }
}
