//! Checks which crate depends on which, and that each says what it promises.

use crate::repository::{manifest, read, root};

/// The crates of the workspace that each crate may depend on, `dev-dependencies` included.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("schemas", &[]),
    ("graph", &["schemas"]),
    ("bus", &["schemas"]),
    ("service", &[]),
    ("producer", &["schemas", "bus", "service"]),
    ("trainer", &["schemas", "graph", "bus", "service"]),
    ("scorer", &["schemas", "graph", "bus", "service"]),
    ("detective", &["schemas", "graph", "bus", "service", "producer", "trainer", "scorer"]),
    ("xtask", &[]),
];

/// Packages that a single crate uses.
const SOLE_USERS: [(&str, &str); 10] = [
    ("tract-onnx", "scorer"),
    ("candle-core", "trainer"),
    ("candle-nn", "trainer"),
    ("prost", "trainer"),
    ("rdkafka", "bus"),
    ("rusqlite", "bus"),
    ("procfs", "producer"),
    ("petgraph", "graph"),
    ("apache-avro", "schemas"),
    ("config", "service"),
];

/// Sections that the documentation of each library opens with.
const SECTIONS: [&str; 2] = ["**Promises:**", "**Never:**"];

/// Checks the manifest and the opening of each crate.
///
/// # Errors
/// If a manifest or a `lib.rs` cannot be read.
pub fn check(crates: &[String], problems: &mut Vec<String>) -> anyhow::Result<()> {
    for name in crates {
        match ALLOWED.iter().find(|(known, _)| known == name) {
            Some((_, allowed)) => check_manifest(name, allowed, crates, problems)?,
            None => problems.push(format!("`{name}` is missing from the allowed dependencies in xtask/src/tidy")),
        }
        check_sections(name, problems)?;
    }
    Ok(())
}

fn check_manifest(name: &str, allowed: &[&str], crates: &[String], problems: &mut Vec<String>) -> anyhow::Result<()> {
    let manifest = manifest(&root().join(name))?;
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = tables.iter().filter_map(|table| manifest.get(*table)?.as_table());
    for package in tables.flat_map(|table| table.keys()) {
        if crates.contains(package) && !allowed.contains(&package.as_str()) && package != name {
            problems.push(format!("`{name}` must not depend on `{package}`"));
        }
        let sole_user = SOLE_USERS.iter().find(|(used, _)| used == package);
        if let Some((_, user)) = sole_user.filter(|(_, user)| *user != name) {
            problems.push(format!("`{name}` uses `{package}`, which only `{user}` may use"));
        }
    }
    Ok(())
}

fn check_sections(name: &str, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let path = root().join(name).join("src/lib.rs");
    if !path.exists() {
        return Ok(());
    }
    let text = read(&path)?;
    for section in SECTIONS {
        if !text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains(section)) {
            problems.push(format!("{name}/src/lib.rs: the documentation has no section {section}"));
        }
    }
    Ok(())
}
