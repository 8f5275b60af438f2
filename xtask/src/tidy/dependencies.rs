//! Checks which crate depends on which, and that each says what it promises.

use crate::repository::{manifest, read, root};

/// The crates of the workspace that each crate may depend on, `dev-dependencies` included.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("schemas", &[]),
    ("signals", &["schemas"]),
    ("graph", &["schemas", "signals"]),
    ("bus", &["schemas"]),
    ("service", &[]),
    ("hostread", &["schemas"]),
    ("collector", &["schemas", "signals", "hostread"]),
    ("producer", &["schemas", "signals", "bus", "service", "hostread", "collector"]),
    ("trainer", &["schemas", "signals", "graph", "bus", "service"]),
    ("scorer", &["schemas", "signals", "graph", "bus", "service"]),
    ("faults", &["schemas", "service"]),
    ("evaluation", &["schemas", "signals", "graph", "service", "hostread", "producer", "trainer", "scorer", "faults"]),
    (
        "detective",
        &[
            "schemas",
            "signals",
            "graph",
            "bus",
            "service",
            "hostread",
            "producer",
            "trainer",
            "scorer",
            "faults",
            "evaluation",
        ],
    ),
    ("xtask", &[]),
];

/// Packages that a single crate uses. Tests and examples of others may use them too.
const SOLE_USERS: [(&str, &str); 10] = [
    ("tract-onnx", "scorer"),
    ("candle-core", "trainer"),
    ("candle-nn", "trainer"),
    ("prost", "trainer"),
    ("rdkafka", "bus"),
    ("rusqlite", "bus"),
    ("procfs", "hostread"),
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
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let packages = manifest.get(table).and_then(|packages| packages.as_table());
        for package in packages.into_iter().flat_map(|packages| packages.keys()) {
            if crates.contains(package) && !allowed.contains(&package.as_str()) && package != name {
                problems.push(format!("`{name}` must not depend on `{package}`"));
            }
            let sole_user = SOLE_USERS.iter().find(|(used, _)| used == package && table == "dependencies");
            if let Some((_, user)) = sole_user.filter(|(_, user)| *user != name) {
                problems.push(format!("`{name}` uses `{package}`, which only `{user}` may use"));
            }
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
