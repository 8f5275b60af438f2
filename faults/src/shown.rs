//! The catalogue for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{
    catalogue,
    fault::{Family, Fault},
    need::Need,
    safety::Takes,
    shop::Shop,
};

/// Where the second column begins.
const INDENT: usize = 20;

const PATH: &str = "a file to make and to play with, in place of one of the shop's";
const NO_PATH: &str = "not taken: it plays with no file of one's choice";

/// All faults by family, each with what it needs and whether that is here.
pub fn list(is_here: impl Fn(Need) -> bool) -> String {
    let mut text = String::new();
    for family in Family::ALL {
        let _ = writeln!(text, "{}{}", if text.is_empty() { "" } else { "\n" }, family.name());
        for fault in catalogue::of_family(family) {
            let _ = writeln!(text, "{:INDENT$}{}{}", fault.name, fault.does, needs(fault, &is_here));
        }
    }
    text
}

fn needs(fault: &Fault, is_here: impl Fn(Need) -> bool) -> String {
    let shown = fault.needs.iter().map(|need| format!("{need}{}", if is_here(*need) { "" } else { " (not here)" }));
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { String::new() } else { format!("; needs {}", shown.join(", ")) }
}

/// The same for programs, an array of objects.
pub fn list_json(shop: Option<&Shop>) -> Value {
    catalogue::all().map(|fault| json_of(fault, shop)).collect()
}

/// A fault for programs.
pub fn json_of(fault: &Fault, shop: Option<&Shop>) -> Value {
    let need = |need: &Need| json!({"need": need.to_string(), "here": need.is_here(shop)});
    json!({
        "name": fault.name,
        "family": fault.family.name(),
        "does": fault.does,
        "to_blame": fault.blame,
        "suffers": fault.suffers,
        "bounds": fault.bounds,
        "undone": fault.undone,
        "harmless": fault.is_harmless(),
        "needs": fault.needs.iter().map(need).collect::<Vec<_>>(),
        "here": fault.needs.iter().all(|need| need.is_here(shop)),
        "takes_path": fault.takes_path,
        "takes": {"memory_mb": fault.takes.memory, "disk_mb": fault.takes.disk},
    })
}

/// All that is known of a fault.
pub fn show(fault: &Fault, is_here: impl Fn(Need) -> bool) -> String {
    let needs: Vec<String> = fault.needs.iter().map(|need| marked(*need, &is_here)).collect();
    let rows = [
        ("what happens", fault.does.to_owned()),
        ("family", fault.family.name().to_owned()),
        ("to blame", or(fault.blame, "nobody: it must raise nothing")),
        ("who suffers", or(fault.suffers, "nobody")),
        ("bounds", format!("{}; ten minutes", fault.bounds)),
        ("takes", takes(fault.takes)),
        ("needs", or(&needs.join(", "), "nothing")),
        ("--path", if fault.takes_path { PATH } else { NO_PATH }.to_owned()),
        ("undone", fault.undone.to_owned()),
    ];
    let mut text = format!("{}\n", fault.name);
    for (what, said) in rows {
        let _ = writeln!(text, "  {what:14}{said}");
    }
    text
}

fn marked(need: Need, is_here: impl Fn(Need) -> bool) -> String {
    format!("{need} ({})", if is_here(need) { "here" } else { "not here" })
}

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise } else { text }.to_owned()
}

fn takes(takes: Takes) -> String {
    format!("at most {} MB of memory and {} MB of disk", takes.memory, takes.disk)
}
