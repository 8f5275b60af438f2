//! Every signal that can be missing has an explanation.

use std::{collections::BTreeSet, fs, path::Path};

use producer::signals::{SIGNALS, Signal};

/// Collects the signals that the sources below `folder` report as missing.
fn collect_signals(folder: &Path, signals: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_signals(&path, signals);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Calls can span several lines.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
        for call in ["coverage.add(\"", "coverage.add_seen(\"", "self.add(\"", "self.add_seen(\"", "noted(\""] {
            signals.extend(text.split(call).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
}

#[test]
fn every_signal_that_can_be_missing_is_explained_exactly_once() {
    let mut signals = BTreeSet::from(["snapshot".to_owned()]);
    collect_signals(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut signals);
    assert!(signals.len() > 15, "{signals:?}");
    let unexplained: Vec<&String> = signals.iter().filter(|signal| Signal::named(signal).is_none()).collect();
    assert!(unexplained.is_empty(), "`signals.rs` does not explain {unexplained:?}");
    let explained: BTreeSet<String> = SIGNALS.iter().map(|signal| signal.name.to_owned()).collect();
    assert_eq!(explained.len(), SIGNALS.len());
    assert_eq!(explained.difference(&signals).collect::<Vec<_>>(), Vec::<&String>::new(), "these are never reported as missing");
}

#[test]
fn every_signal_missing_on_this_host_has_a_remedy() {
    let mut sweeper = crate::children::sweeper();
    let snapshot = [sweeper.sweep().unwrap(), sweeper.sweep().unwrap()].into_iter().next_back().unwrap();
    for gap in &snapshot.coverage {
        let signal = Signal::named(&gap.signal).unwrap();
        assert!(signal.remedy(&gap.reason).is_some(), "{} {}", gap.signal, gap.reason);
        assert!(signal.total(&snapshot, gap.count) >= gap.count);
    }
}
