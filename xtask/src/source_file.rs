//! The Rust files of a crate.

use std::path::PathBuf;

use crate::{repository, rust_source::RustSource};

/// A Rust file of a crate.
pub struct SourceFile {
    /// The path from the top of the repository.
    pub path: String,
    /// The text.
    pub source: RustSource,
}

impl SourceFile {
    /// The number of lines.
    pub fn line_count(&self) -> usize {
        self.source.text.lines().count()
    }
}

/// All Rust files of a crate, tests and benchmarks included.
///
/// # Errors
/// If one cannot be read.
pub fn read_crate(name: &str) -> anyhow::Result<Vec<SourceFile>> {
    let paths = repository::files(&repository::root().join(name), "rs")?;
    let read = |path: PathBuf| {
        let source = RustSource::new(repository::read(&path)?);
        Ok(SourceFile { path: repository::shown(&path), source })
    };
    paths.into_iter().map(read).collect()
}
