//! The coverage of a snapshot as a table: for each item what was read, what is missing and why,
//! what is lost, and the remedy.

use std::fmt::Write;

use hostread::rights::{Capability, Rights};
use schemas::{Column, Coverage, GraphSnapshot, MissingReason};
use signals::{CoverageItem, coverage::COVERAGE};

/// Width of the first column.
const LABEL_WIDTH: usize = 23;
/// Lines are wrapped at this width.
const LINE_WIDTH: usize = 110;

/// Renders a row for each item of coverage, and for each other gap of the snapshot.
pub fn render_coverage(snapshot: &GraphSnapshot, rights: &Rights) -> String {
    let mut text = format!("{:LABEL_WIDTH$}read\n", "item");
    for item in COVERAGE {
        let gaps: Vec<&Coverage> = snapshot.coverage.iter().filter(|gap| gap.signal == item.name).collect();
        let _ = writeln!(text, "{:LABEL_WIDTH$}{}", item.name, describe_read(item, snapshot, &gaps));
        for gap in gaps {
            push_wrapped(&mut text, &format!("{} {}: {}", gap.count, gap.reason, item.loss));
            if let Some(remedy) = remedy(item, &gap.reason, rights) {
                push_wrapped(&mut text, &format!("remedy: {remedy}"));
            }
        }
    }
    for gap in snapshot.coverage.iter().filter(|gap| CoverageItem::from_name(&gap.signal).is_none()) {
        let _ = writeln!(text, "{:LABEL_WIDTH$}{} {}", gap.signal, gap.count, gap.reason);
    }
    text
}

fn describe_read(item: &CoverageItem, snapshot: &GraphSnapshot, gaps: &[&Coverage]) -> String {
    let missing = gaps.iter().map(|gap| gap.count).sum();
    let total = item.total(snapshot, missing);
    let things = item.things;
    let exists_once = things.starts_with("the ");
    match (total - missing, missing) {
        (_, 0) if exists_once => things.to_owned(),
        (0, _) if exists_once => format!("not {things}"),
        (0, 0) => format!("no {things} now"),
        (read, 0) => format!("all {read} {things}"),
        (0, _) => format!("none of {total} {things}"),
        (read, _) => format!("{read} of {total} {things}"),
    }
}

/// The remedy for a process with `rights`, if one is known.
fn remedy(item: &CoverageItem, reason: &MissingReason, rights: &Rights) -> Option<&'static str> {
    let has_all_rights = rights.has(Capability::SysPtrace) && rights.has(Capability::DacReadSearch);
    if *reason == MissingReason::Denied && has_all_rights {
        return Some("none: a security module or a user namespace denies access");
    }
    item.remedy(reason)
}

/// Appends a sentence below the second column, wrapped.
fn push_wrapped(text: &mut String, sentence: &str) {
    let mut line = format!("{:LABEL_WIDTH$} ", "");
    for word in sentence.split(' ') {
        if line.chars().count() + word.chars().count() >= LINE_WIDTH {
            let _ = writeln!(text, "{line}");
            line = format!("{:LABEL_WIDTH$}   ", "");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// Renders a row for each column with missing values, and the names of all complete columns.
pub fn render_columns(snapshot: &GraphSnapshot) -> String {
    let (complete, incomplete): (Vec<&Column>, Vec<&Column>) =
        snapshot.columns.iter().partition(|column| column.missing.is_empty());
    let mut text = String::new();
    if !incomplete.is_empty() {
        let _ = writeln!(text, "{:LABEL_WIDTH$}values", "signal");
    }
    for column in incomplete {
        let missing = column.missing.iter().map(|missing| format!("{} {}", missing.nodes.len(), missing.reason));
        let missing: Vec<String> = missing.collect();
        let _ = writeln!(text, "{:LABEL_WIDTH$}{}; missing: {}", column.name, column.nodes.len(), missing.join(", "));
    }
    let names: Vec<&str> = complete.iter().map(|column| column.name.as_str()).collect();
    let _ = writeln!(text, "complete signals");
    push_wrapped(&mut text, &names.join(" "));
    text
}

#[cfg(test)]
mod tests {
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
            coverage: vec![
                gap("fd", "denied", 2),
                gap("process", "gone", 1),
                gap("io", "late", 1),
                gap("moon", "off", 4),
            ],
            ..GraphSnapshot::default()
        }
    }

    #[test]
    fn each_item_has_a_row_with_what_is_missing_and_the_remedy() {
        let expected = expect![[r#"
            item                   read
            process-hidden         all 3 tasks
            process                3 of 4 processes
                                     1 gone: they are not in the graph and can be neither suspects nor impact
                                     remedy: none: they exited while they were read
            own-process            no processes of Local Detective now
            executable             all 3 processes
            cmdline                all 3 processes
            environ                all 3 processes in containers
            cgroups                the control groups
            cgroup                 no control groups now
            network-namespace      all 3 processes
            fd                     1 of 3 processes
                                     2 denied: their descriptors are not counted, and their files, locks, pipes and
                                       sockets are unknown
                                     remedy: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or root
            fd-link                all 1 processes whose descriptors are counted
            descriptors            all 1 descriptors
            file                   no files now
            syscall                all 3 processes
            io                     2 of 3 processes
                                     1 late: none of them can be named as the one that reads or writes too much
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
        expected.assert_eq(&render_coverage(&snapshot(), &Rights::default()));
    }

    #[test]
    fn capabilities_are_no_remedy_for_a_process_that_has_them() {
        let root = Rights::from_status(b"Uid: 0 0 0 0\nGid: 0 0 0 0\nCapEff: 1ffffffffff\n").unwrap();
        let text = render_coverage(&snapshot(), &root);
        assert!(text.contains(" remedy: none: a security module "), "{text}");
    }

    #[test]
    fn incomplete_columns_have_a_row_each() {
        let expected = expect![[r#"
            signal                 values
            fds                    1; missing: 2 denied
            complete signals
                                     threads
        "#]];
        expected.assert_eq(&render_columns(&snapshot()));
    }
}
