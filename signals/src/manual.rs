//! `docs/signals.md`, rendered from the catalogue.

use std::fmt::Write;

use crate::{
    Curve, Definition, Entity, Signal,
    coverage::{COVERAGE, CoverageItem},
};

const INTRODUCTION: &str = "\
# Signals

`cargo xtask reference` writes this page from the catalogue of signals (crate `signals`).

A signal is one measured quantity. In a snapshot it is a column, with values for the nodes that have
it. The first names are current; names in parentheses are those of earlier versions, which old
recordings and records carry.

- **Form**: a *gauge* is the value at the time of the sweep, a *rate* the difference between two
  sweeps per second, a *flag* 1 if a condition holds and else 0.
- **Abnormal**: the side of the baseline on which a value counts as a deviation. Signals with `none`
  are context for the model.
- **Floor**: the least spread of a baseline, so the least change that counts, on a linear or
  logarithmic scale. On the scale of a limit, a step is half of what is left.
- **Class**: what an abnormal value means to blame.
";

/// The page.
pub fn render() -> String {
    let mut text = INTRODUCTION.to_owned();
    for entity in Entity::ALL {
        let _ = write!(
            text,
            "\n## {}\n\n| signal | unit, form | meaning | abnormal, floor | class | source |\n|---|---|---|---|---|---|\n",
            heading(entity)
        );
        for definition in Signal::ALL.iter().map(|signal| signal.definition()) {
            if definition.entities.contains(&entity) {
                text.push_str(&row(definition));
            }
        }
    }
    text.push_str(
        "\n## Coverage\n\nA sweep counts what it could not read, by item and reason. `detective doctor` shows the \
         items\nof this host.\n\n| item | lost without it | signals that are missing or incomplete | provided by |\n\
         |---|---|---|---|\n",
    );
    for item in COVERAGE {
        text.push_str(&coverage_row(item));
    }
    text
}

fn heading(entity: Entity) -> String {
    let name = entity.as_str();
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

fn row(definition: &Definition) -> String {
    let former: Vec<String> = definition.former_names.iter().map(|name| format!("`{name}`")).collect();
    let former = if former.is_empty() { String::new() } else { format!(" ({})", former.join(", ")) };
    format!(
        "| `{}`{former} | {}, {} | {} | {} | {} | {} |\n",
        definition.name,
        definition.unit,
        definition.form,
        definition.doc.trim(),
        abnormal(definition),
        definition.class.describe(),
        definition.source.path
    )
}

fn abnormal(definition: &Definition) -> String {
    let floor = definition.scale.floor;
    let scale = match definition.scale.curve {
        Curve::Linear => "",
        Curve::LimitUse => " of a limit",
        Curve::Log { .. } => " log",
    };
    match definition.side {
        crate::Side::Neither => "none".to_owned(),
        side => format!("{}, {floor}{scale}", side.as_str()),
    }
}

fn coverage_row(item: &CoverageItem) -> String {
    let signals: Vec<String> = item.signals().map(|signal| format!("`{}`", signal.name())).collect();
    let signals = match item.name {
        // These two cost every signal of the processes.
        "process" | "process-hidden" => "all of the process".to_owned(),
        _ => signals.join(", "),
    };
    let remedies: Vec<String> = item.remedies.iter().map(|(reason, remedy)| format!("{reason}: {remedy}")).collect();
    format!("| `{}` | {} | {signals} | {} |\n", item.name, item.loss, remedies.join("; "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_page_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/signals.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == super::render(), "run `cargo xtask reference`");
    }
}
