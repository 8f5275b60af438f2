//! What the compiler does not check.

use std::collections::BTreeSet;

use anyhow::{Context, bail};

use crate::repository::{ROOMS, root, sources};

/// Which rooms each may depend on; `dev-dependencies` too.
const MAY_KNOW: [(&str, &[&str]); 9] = [
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

/// Packages that only one room may use.
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

/// A longer file answers two questions.
const LONGEST_FILE: usize = 400;
/// A longer `main.rs` does more than parse, load and run.
const LONGEST_MAIN: usize = 60;

/// Checks all, and reports all that is wrong.
///
/// # Errors
/// If anything is.
pub fn run() -> anyhow::Result<()> {
    let mut problems = Vec::new();
    check_dependencies(&mut problems)?;
    for room in ROOMS {
        check_promises(room, &mut problems)?;
    }
    for room in ROOMS.iter().chain(["xtask"].iter()) {
        check_sizes(room, &mut problems)?;
    }
    check_golden(&mut problems)?;
    if problems.is_empty() {
        println!("tidy");
        return Ok(());
    }
    bail!("{} things are not tidy:\n  {}", problems.len(), problems.join("\n  "));
}

fn check_dependencies(problems: &mut Vec<String>) -> anyhow::Result<()> {
    let rooms: BTreeSet<&str> = MAY_KNOW.iter().map(|(room, _)| *room).collect();
    for (room, may_know) in MAY_KNOW {
        let path = root().join(room).join("Cargo.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let manifest: toml::Table = toml::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
        let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
        let used = tables.iter().filter_map(|table| manifest.get(*table)?.as_table()).flat_map(|table| table.keys());
        for package in used {
            if rooms.contains(package.as_str()) && !may_know.contains(&package.as_str()) && package != room {
                problems.push(format!("{room} depends on {package}, which it may not know"));
            }
            let sole = SOLE_USERS.iter().find(|(name, user)| name == package && *user != room);
            if let Some((name, user)) = sole {
                problems.push(format!("{room} uses {name}, whose sole user is {user}"));
            }
        }
    }
    Ok(())
}

fn check_promises(room: &str, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let path = root().join(room).join("src/lib.rs");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    for wanted in ["**Promises:**", "**Never:**"] {
        if !text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains(wanted)) {
            problems.push(format!("{room}/src/lib.rs does not open with {wanted}"));
        }
    }
    Ok(())
}

fn check_sizes(room: &str, problems: &mut Vec<String>) -> anyhow::Result<()> {
    for path in sources(room)? {
        let lines = std::fs::read_to_string(&path)?.lines().count();
        let longest = if path.ends_with("src/main.rs") && room != "xtask" { LONGEST_MAIN } else { LONGEST_FILE };
        if lines > longest {
            let shown = path.strip_prefix(root()).unwrap_or(&path).display();
            problems.push(format!("{shown} has {lines} lines, more than {longest}: does it answer two questions?"));
        }
    }
    Ok(())
}

/// Every record has the bytes of every version that was released.
fn check_golden(problems: &mut Vec<String>) -> anyhow::Result<()> {
    let golden = root().join("schemas/golden");
    for record in ["GraphSnapshot", "HealthySnapshot", "ModelRelease", "RootCauseEvent", "Incident", "RawRead"] {
        let path = golden.join(format!("{record}.v1.avro"));
        if !path.try_exists()? {
            problems.push(format!("schemas/golden/{record}.v1.avro is missing"));
        }
    }
    Ok(())
}
