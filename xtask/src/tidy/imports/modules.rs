//! The modules of a crate, and which imports which.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{self, Use};
use crate::source_file::SourceFile;

/// How many re-exports a path may lead through.
const MOST_REEXPORTS: usize = 8;

/// The modules that have a file of their own, by path; the root's is empty.
pub struct Modules(BTreeMap<String, Module>);

struct Module {
    uses: Vec<Use>,
    /// Paths in the code beside `use`.
    paths: Vec<Vec<String>>,
}

/// A module's path and a name in it.
pub fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

impl Modules {
    /// Reads the modules below a source folder. Modules of tests are left out.
    pub fn read(folder: &str, files: &[SourceFile]) -> Modules {
        let has_library = files.iter().any(|file| file.path == format!("{folder}lib.rs"));
        let mut modules = BTreeMap::new();
        for file in files {
            let Some(path) = file.path.strip_prefix(folder).and_then(|path| path.strip_suffix(".rs")) else { continue };
            let is_other_root = path.starts_with("bin/") || (path == "main" && has_library);
            if is_other_root || path.split('/').any(|name| name == "tests") {
                continue;
            }
            let path = if matches!(path, "lib" | "main") { String::new() } else { path.replace('/', "::") };
            let (uses, rest) = paths::split_uses(&file.source.code_without_tests());
            modules.insert(path, Module { uses, paths: paths::inline_paths(&rest) });
        }
        Modules(modules)
    }

    /// The modules that have child modules.
    pub fn folders(&self) -> BTreeSet<String> {
        let parents = self.0.keys().filter(|path| !path.is_empty());
        parents.map(|path| path.rsplit_once("::").map_or("", |(parent, _)| parent).to_owned()).collect()
    }

    /// Whether a module has child modules.
    pub fn is_folder(&self, path: &str) -> bool {
        let prefix = format!("{path}::");
        self.0.keys().any(|module| module.starts_with(&prefix))
    }

    /// Pairs of modules of which the first imports the second.
    pub fn imports(&self) -> BTreeSet<(String, String)> {
        let mut imports = BTreeSet::new();
        for (path, module) in &self.0 {
            let uses = module.uses.iter().filter(|used| !used.is_public).map(|used| &used.path);
            for used in uses.chain(&module.paths) {
                if let Some(target) = self.resolve(path, used, MOST_REEXPORTS).filter(|target| target != path) {
                    imports.insert((path.clone(), target));
                }
            }
        }
        imports
    }

    /// The module that declares what a path in a module leads to; `None` if another crate does.
    fn resolve(&self, from: &str, path: &[String], reexports_left: usize) -> Option<String> {
        let mut module = from.to_owned();
        let mut names = path;
        match path.first().map(String::as_str)? {
            "crate" => module.clear(),
            "self" => {}
            "super" => {
                while names.first().is_some_and(|name| name == "super") {
                    module = module.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.to_owned());
                    names = &names[1..];
                }
                return self.descend(module, names, reexports_left);
            }
            first if self.0.contains_key(&join(from, first)) => return self.descend(module, names, reexports_left),
            _ => return None,
        }
        self.descend(module, &names[1..], reexports_left)
    }

    /// Follows names from a module down, and through what it re-exports.
    fn descend(&self, mut module: String, mut names: &[String], reexports_left: usize) -> Option<String> {
        while let Some(name) = names.first() {
            let child = join(&module, name);
            if !self.0.contains_key(&child) {
                break;
            }
            module = child;
            names = &names[1..];
        }
        let name = names.first();
        let reexport = self.0.get(&module)?.uses.iter().find(|used| Some(&used.name) == name);
        match reexport {
            Some(reexport) if reexports_left > 0 => {
                // Something of another crate is imported through this module's own line.
                Some(self.resolve(&module, &reexport.path, reexports_left - 1).unwrap_or(module))
            }
            _ => Some(module),
        }
    }
}
