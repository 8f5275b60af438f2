//! The tables of `docs/faults.md` match the catalogue.

use std::fmt::Write;

use faults::{
    catalogue,
    fault::{Family, Fault},
};

fn table(family: Family) -> String {
    let mut text = format!("### {}\n\n", family.name());
    text +=
        "| fault | what happens | root cause | affected | requires | limits | undo |\n|---|---|---|---|---|---|---|\n";
    catalogue::in_family(family).iter().for_each(|fault| text += &row(fault));
    text
}

fn row(fault: &Fault) -> String {
    let requirements: Vec<String> = fault.requirements.iter().map(ToString::to_string).collect();
    let requirements = requirements.join(", ");
    let cells = [fault.description, fault.root_cause, fault.affected, &requirements, fault.limits, fault.undo];
    let cells = cells.map(|cell| if cell.is_empty() { String::new() } else { format!("{cell} ") });
    let mut row = String::new();
    let _ = writeln!(row, "| `{}` | {}|", fault.name, cells.join("| "));
    row
}

#[test]
fn the_manual_describes_each_fault_as_the_catalogue_does() {
    let manual = include_str!("../../../docs/faults.md");
    for family in Family::ALL {
        assert!(manual.contains(&table(family)), "docs/faults.md lacks:\n{}", table(family));
    }
}
