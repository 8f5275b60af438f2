//! The catalogue of signals agrees with what sweeps emit.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use schemas::{Form, GraphSnapshot, Unit};
use signals::{CoverageItem, Definition, Entity, Signal, coverage::COVERAGE};

/// Two sweeps, so that rates have values.
fn second_snapshot() -> GraphSnapshot {
    let mut sweeper = crate::children::sweeper();
    sweeper.sweep().unwrap();
    sweeper.sweep().unwrap()
}

#[test]
fn a_snapshot_has_exactly_the_columns_of_the_catalogue() {
    let snapshot = second_snapshot();
    let emitted: Vec<(&str, &Unit, &Form)> =
        snapshot.columns.iter().map(|column| (column.name.as_str(), &column.unit, &column.form)).collect();
    let declared: Vec<(&str, &Unit, &Form)> = Signal::ALL
        .iter()
        .map(|signal| signal.definition())
        .map(|Definition { name, unit, form, .. }| (*name, unit, form))
        .collect();
    assert_eq!(emitted, declared);
}

#[test]
fn nodes_have_the_signals_of_their_entity_and_no_others() {
    let snapshot = second_snapshot();
    let entities: Vec<Entity> = snapshot.nodes.iter().map(|node| Entity::from_node(node).unwrap()).collect();
    let mut found: BTreeMap<&str, BTreeSet<Entity>> = BTreeMap::new();
    for column in &snapshot.columns {
        let nodes = column.nodes.iter().chain(column.missing.iter().flat_map(|missing| &missing.nodes));
        found.entry(&column.name).or_default().extend(nodes.map(|node| entities[*node as usize]));
    }
    // This host may lack limits, a filesystem in use, or a remote endpoint, so not every entity
    // has every signal.
    let sometimes = [Entity::File, Entity::Filesystem, Entity::Endpoint, Entity::Cgroup, Entity::Disk];
    for Definition { name, entities, .. } in Signal::ALL.iter().map(|signal| signal.definition()) {
        let declared: BTreeSet<Entity> = entities.iter().copied().collect();
        let unexpected: Vec<_> = found[name].difference(&declared).collect();
        assert!(unexpected.is_empty(), "the catalogue gives `{name}` to {declared:?}, not to {unexpected:?}");
        let absent: Vec<_> = declared.difference(&found[name]).filter(|entity| !sometimes.contains(entity)).collect();
        assert!(absent.is_empty(), "no sweep gives `{name}` to {absent:?}");
    }
}

/// Adds the coverage items that the sources below `folder` name where they count one as missing.
fn collect_named_items(folder: &Path, items: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_named_items(&path, items);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // A call may span several lines.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
        for call in ["coverage.add(\"", "coverage.add_seen(\"", "self.add(\"", "self.add_seen(\"", "value_or_note(\""] {
            items.extend(text.split(call).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
}

#[test]
fn every_item_of_coverage_that_is_counted_is_explained_once() {
    let mut counted = BTreeSet::from(["snapshot".to_owned()]);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "../collector/src"] {
        collect_named_items(&sources.join(folder), &mut counted);
    }
    assert!(counted.len() > 15, "{counted:?}");
    let explained: BTreeSet<String> = COVERAGE.iter().map(|item| item.name.to_owned()).collect();
    assert_eq!(explained.len(), COVERAGE.len());
    assert_eq!(explained, counted);
}

#[test]
fn items_that_are_missing_on_this_host_have_a_remedy() {
    let snapshot = second_snapshot();
    for gap in &snapshot.coverage {
        let item = CoverageItem::from_name(&gap.signal).unwrap();
        assert!(item.remedy(&gap.reason).is_some(), "{} {}", gap.signal, gap.reason);
        assert!(item.total(&snapshot, gap.count) >= gap.count);
    }
}
