//! The manual's tables are the catalogue's.

use std::fmt::Write;

use faults::{
    catalogue,
    fault::{Family, Fault},
};

fn table(family: Family) -> String {
    let mut text = format!("### {}\n\n", family.name());
    text +=
        "| fault | what happens | to blame | who suffers | needs | bounds | undone |\n|---|---|---|---|---|---|---|\n";
    catalogue::of_family(family).iter().for_each(|fault| text += &row(fault));
    text
}

fn row(fault: &Fault) -> String {
    let needs: Vec<String> = fault.needs.iter().map(ToString::to_string).collect();
    let mut row = String::new();
    let told = [fault.does, fault.blame, fault.suffers, &needs.join(", "), fault.bounds, fault.undone];
    let told = told.map(|cell| if cell.is_empty() { String::new() } else { format!("{cell} ") });
    let _ = writeln!(row, "| `{}` | {}|", fault.name, told.join("| "));
    row
}

#[test]
fn the_manual_tells_of_each_fault_what_the_catalogue_does() {
    let manual = include_str!("../../../docs/faults.md");
    for family in Family::ALL {
        assert!(manual.contains(&table(family)), "docs/faults.md lacks:\n{}", table(family));
    }
}
