//! The coverage of a snapshot as a table: what was read, what is missing and why, what is lost without
//! it, and the remedy.

use std::fmt::Write;

use hostread::rights::{Capability, Rights};
use schemas::{Column, Coverage, GraphSnapshot, MissingReason};
use signals::coverage::{COVERAGE, CoverageItem};

/// Where the second column begins.
const INDENT: usize = 23;
/// No line is longer, unless a word is.
const WIDTH: usize = 110;

/// A row for each item of coverage, and for each unknown item that the snapshot lacks. Remedies are
/// those for a process with these rights.
pub fn coverage(snapshot: &GraphSnapshot, rights: &Rights) -> String {
    let mut text = format!("{:INDENT$}read\n", "item");
    for item in COVERAGE {
        let gaps: Vec<&Coverage> = snapshot.coverage.iter().filter(|gap| gap.signal == item.name).collect();
        let _ = writeln!(text, "{:INDENT$}{}", item.name, describe(item, snapshot, &gaps));
        for gap in gaps {
            push_wrapped(&mut text, &format!("{} {}: {}", gap.count, gap.reason, item.loss));
            if let Some(remedy) = remedy(item, &gap.reason, rights) {
                push_wrapped(&mut text, &format!("remedy: {remedy}"));
            }
        }
    }
    for gap in snapshot.coverage.iter().filter(|gap| CoverageItem::from_name(&gap.signal).is_none()) {
        let _ = writeln!(text, "{:INDENT$}{} {}", gap.signal, gap.count, gap.reason);
    }
    text
}

fn describe(item: &CoverageItem, snapshot: &GraphSnapshot, gaps: &[&Coverage]) -> String {
    let missing = gaps.iter().map(|gap| gap.count).sum();
    let total = item.total(snapshot, missing);
    let things = item.things;
    match (total - missing, missing) {
        // Exists once per host.
        (_, 0) if things.starts_with("the ") => things.to_owned(),
        (0, _) if things.starts_with("the ") => format!("not {things}"),
        (0, 0) => format!("no {things} now"),
        (read, 0) => format!("all {read} {things}"),
        (0, _) => format!("none of {total} {things}"),
        (read, _) => format!("{read} of {total} {things}"),
    }
}

fn remedy(item: &CoverageItem, reason: &MissingReason, rights: &Rights) -> Option<&'static str> {
    let has_all = rights.has(Capability::SysPtrace) && rights.has(Capability::DacReadSearch);
    if *reason == MissingReason::Denied && has_all {
        return Some("none: a security module or a user namespace denies access");
    }
    item.remedy(reason)
}

fn push_wrapped(text: &mut String, sentence: &str) {
    let mut line = format!("{:INDENT$} ", "");
    for word in sentence.split(' ') {
        if line.chars().count() + word.chars().count() >= WIDTH {
            let _ = writeln!(text, "{line}");
            line = format!("{:INDENT$}   ", "");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// A row for each column that lacks values, and the names of the others.
pub fn columns(snapshot: &GraphSnapshot) -> String {
    let (whole, lacking): (Vec<&Column>, Vec<&Column>) =
        snapshot.columns.iter().partition(|column| column.missing.is_empty());
    let mut text = String::new();
    if !lacking.is_empty() {
        let _ = writeln!(text, "{:INDENT$}values", "column");
    }
    for column in lacking {
        let missing = column.missing.iter().map(|missing| format!("{} {}", missing.nodes.len(), missing.reason));
        let missing: Vec<String> = missing.collect();
        let _ = writeln!(text, "{:INDENT$}{}; missing: {}", column.name, column.nodes.len(), missing.join(", "));
    }
    let names: Vec<&str> = whole.iter().map(|column| column.name.as_str()).collect();
    let _ = writeln!(text, "nothing is missing of");
    push_wrapped(&mut text, &names.join(" "));
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect;
    use schemas::{Missing, Node, NodeKind};

    use super::*;

    fn gap(signal: &str, reason: &str, count: i64) -> Coverage {
        Coverage { signal: signal.to_owned(), reason: reason.into(), count }
    }

    fn column(name: &str, nodes: Vec<i32>, missing: Vec<Missing>) -> Column {
        let values = vec![1.0; nodes.len()];
        Column { name: name.to_owned(), nodes, values, missing, ..Column::default() }
    }

    fn snapshot() -> GraphSnapshot {
        let process = Node { kind: NodeKind::Process, ..Node::default() };
        let denied = Missing { reason: MissingReason::Denied, nodes: vec![1, 2] };
        GraphSnapshot {
            nodes: vec![process; 3],
            columns: vec![column("threads", vec![0, 1, 2], vec![]), column("fds", vec![0], vec![denied])],
            coverage: vec![gap("fd", "denied", 2), gap("process", "gone", 1), gap("moon", "off", 4)],
            ..GraphSnapshot::default()
        }
    }

    #[test]
    fn each_signal_has_a_row_that_says_what_is_not_seen_and_why() {
        let expected = expect![[r#"
            item                   read
            process-hidden         all 3 tasks
            process                3 of 4 processes
                                     1 gone: they are not in the graph and can be neither suspects nor impact
                                     remedy: none: they exited while they were read
            executable             all 3 processes
            cmdline                all 3 processes
            environ                all 3 processes in containers
            cgroups                the control groups
            cgroup                 no control groups now
            network-namespace      all 3 processes
            fd                     1 of 3 processes
                                     2 denied: their descriptors are not counted, and their files, locks, pipes and sockets
                                       are unknown
                                     remedy: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or root
            fd-link                all 1 processes whose descriptors are counted
            syscall                all 3 processes
            io                     all 3 processes
            run-delay              all 3 processes
            memory                 all 3 processes
            limits                 all 3 processes
            threads                all 3 threads
            locks                  the list of locks
            lock-waiter            no waits for locks now
            lock-holder            no waits for locks now
            sockets-net            the sockets
            sockets-listing        the sockets as the kernel lists them
            sockets-elsewhere      all 3 processes
            network-namespaces     no network namespaces now
            filesystems            the filesystems
            filesystem             no filesystems now
            filesystems-elsewhere  no devices with open files now
            frozen-filesystem      no tasks that wait until a filesystem is thawed now
            endpoint               no endpoints now
            pipes                  no pairs of a reader and a writer now
            snapshot               the snapshots before
            moon                   4 off
        "#]];
        expected.assert_eq(&coverage(&snapshot(), &Rights::default()));
        let root = Rights::from_status(b"Uid: 0 0 0 0\nGid: 0 0 0 0\nCapEff: 1ffffffffff\n").unwrap();
        let said = coverage(&snapshot(), &root);
        assert!(said.contains(" remedy: none: a security module "), "{said}");
    }

    #[test]
    fn columns_that_lack_values_are_told_apart() {
        let expected = expect![[r#"
            column                 values
            fds                    1; missing: 2 denied
            nothing is missing of
                                     threads
        "#]];
        expected.assert_eq(&columns(&snapshot()));
    }
}
