//! What a sweep can lack: what is lost with each item, and what would provide it.

use schemas::{EdgeKind, GraphSnapshot, MissingReason, NodeKind};

use crate::{Signal, catalogue::Signal::*};

/// Something that a sweep may be unable to read, as the coverage of a snapshot names it.
#[derive(Clone, Copy)]
pub struct CoverageItem {
    /// Its name.
    pub name: &'static str,
    /// The things that are counted, in the plural. One that begins with `the` exists once per host.
    pub things: &'static str,
    /// How many of these a snapshot has, given the number of missing ones.
    total: fn(&GraphSnapshot, i64) -> i64,
    /// What is unknown without it, as a sentence without a full stop.
    pub loss: &'static str,
    /// What would provide it, by the reason why it is missing.
    pub remedies: &'static [(MissingReason, &'static str)],
}

const ALL_RIGHTS: &str = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or root";
const PTRACE: &str = "CAP_SYS_PTRACE, or root";
const HIDEPID: &str = "CAP_SYS_PTRACE, the group of the mount's `gid=`, or `mount -o remount,hidepid=off /proc`";
const MORE_DESCRIPTORS: &str = "more file descriptors (`ulimit -n`, `LimitNOFILE=`, `fs.file-max`) or memory";
const LARGER_DESCRIPTOR_BUDGET: &str =
    "a larger `sweep.max_process_descriptors`, `sweep.max_descriptors` or `sweep.descriptor_cpu_percent`";
const EXITED: &str = "none: they exited while they were read";
const UNRESPONSIVE: &str = "none: reading their memory does not return; it is retried";
const PROCESS_1: &str = "a `proc` that shows process 1";

/// All items, the widest first.
pub const COVERAGE: &[CoverageItem] = &[
    CoverageItem {
        name: "process-hidden",
        things: "tasks",
        total: |snapshot, missing| sum(snapshot, Threads) + missing,
        loss: "their processes are not in the graph and can be neither suspects nor impact",
        remedies: &[(MissingReason::Denied, HIDEPID)],
    },
    CoverageItem {
        name: "process",
        things: "processes",
        total: |snapshot, missing| processes(snapshot, missing) + missing,
        loss: "they are not in the graph and can be neither suspects nor impact",
        remedies: &[
            (MissingReason::Denied, HIDEPID),
            (MissingReason::Gone, EXITED),
            (MissingReason::Unsupported, "a kernel whose `/proc/PID/stat` has the known form"),
        ],
    },
    CoverageItem {
        name: "own-process",
        things: "processes of Local Detective",
        total: |_, missing| missing,
        loss: "they are not in the graph and can be neither suspects nor impact",
        remedies: &[(MissingReason::Off, "none: they are left out on purpose")],
    },
    CoverageItem {
        name: "executable",
        things: "processes",
        total: processes,
        loss: "their roles are their names alone, which other programs can have too",
        remedies: &[(MissingReason::Denied, PTRACE)],
    },
    CoverageItem {
        name: "cmdline",
        things: "processes",
        total: processes,
        loss: "their scripts and titles are unknown, so their roles are those of their executables",
        remedies: &[(MissingReason::Late, UNRESPONSIVE)],
    },
    CoverageItem {
        name: "environ",
        things: "processes in containers",
        total: processes,
        loss: "their containers have no name that survives a new container",
        remedies: &[(MissingReason::Denied, PTRACE), (MissingReason::Late, UNRESPONSIVE)],
    },
    CoverageItem {
        name: "cgroups",
        things: "the control groups",
        total: one,
        loss: "throttling, limits, pressure and kills of all groups are unknown",
        remedies: &[(MissingReason::Unsupported, "the host's control groups, named in `sweep.cgroup`")],
    },
    CoverageItem {
        name: "cgroup",
        things: "control groups",
        total: |snapshot, missing| nodes(snapshot, &NodeKind::Cgroup) + missing,
        loss: "their throttling, limits, pressure and kills are unknown",
        remedies: &[(MissingReason::Denied, "the host's control groups and its cgroup namespace (`cgroup: host`)")],
    },
    CoverageItem {
        name: "network-namespace",
        things: "processes",
        total: processes,
        loss: "it is unknown whether their sockets are among those that are listed",
        remedies: &[(MissingReason::Denied, PTRACE), (MissingReason::Unsupported, "a kernel with CONFIG_NET_NS")],
    },
    CoverageItem {
        name: "fd",
        things: "processes",
        total: processes,
        loss: "their descriptors are not counted, and their files, locks, pipes and sockets are unknown",
        remedies: &[(MissingReason::Denied, ALL_RIGHTS)],
    },
    CoverageItem {
        name: "fd-link",
        things: "processes whose descriptors are counted",
        total: |snapshot, _| values(snapshot, Fds),
        loss: "their files, locks, pipes and sockets are unknown",
        remedies: &[(MissingReason::Denied, PTRACE)],
    },
    CoverageItem {
        name: "descriptors",
        things: "descriptors",
        total: |snapshot, _| sum(snapshot, Fds),
        loss: "their files, pipes and sockets are unknown",
        remedies: &[(MissingReason::Off, LARGER_DESCRIPTOR_BUDGET)],
    },
    CoverageItem {
        name: "file",
        things: "files",
        total: |snapshot, missing| nodes(snapshot, &NodeKind::File) + missing,
        loss: "files that no process waits for are left out",
        remedies: &[(MissingReason::Off, "a larger `sweep.max_files`")],
    },
    CoverageItem {
        name: "syscall",
        things: "processes",
        total: processes,
        loss: "their waits are known only where the kernel's list of locks names them",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Unsupported, "a kernel with CONFIG_HAVE_ARCH_TRACEHOOK"),
        ],
    },
    CoverageItem {
        name: "io",
        things: "processes",
        total: processes,
        loss: "none of them can be named as the one that reads or writes too much",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Unsupported, "a kernel with CONFIG_TASK_IO_ACCOUNTING"),
        ],
    },
    CoverageItem {
        name: "run-delay",
        things: "processes",
        total: processes,
        loss: "their waits for a CPU are unknown",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Unsupported, "a kernel with CONFIG_SCHED_INFO"),
        ],
    },
    CoverageItem {
        name: "memory",
        things: "processes",
        total: processes,
        loss: "their memory and its growth are unknown",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Unsupported, "a kernel with CONFIG_PROC_PAGE_MONITOR"),
        ],
    },
    CoverageItem {
        name: "limits",
        things: "processes",
        total: processes,
        loss: "their limits of open files are unknown",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Gone, EXITED),
            (MissingReason::Unsupported, "a kernel with `/proc/PID/limits`"),
        ],
    },
    CoverageItem {
        name: "threads",
        things: "threads",
        total: |snapshot, _| sum(snapshot, Threads),
        loss: "waits of threads other than the main thread are missed",
        remedies: &[(MissingReason::Off, "a larger `sweep.deep_cpu_percent`")],
    },
    CoverageItem {
        name: "locks",
        things: "the list of locks",
        total: one,
        loss: "the holder of a lock is inferred from open files, and its waiters from their system calls",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Unsupported, "a kernel with CONFIG_FILE_LOCKING"),
        ],
    },
    CoverageItem {
        name: "lock-waiter",
        things: "waits for locks",
        total: |snapshot, missing| sum(snapshot, LockWaiters) + missing,
        loss: "it is unknown which process waits and for which",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Gone, EXITED),
            (MissingReason::Off, LARGER_DESCRIPTOR_BUDGET),
        ],
    },
    CoverageItem {
        name: "lock-holder",
        things: "waits for locks",
        total: |snapshot, _| sum(snapshot, LockWaiters),
        loss: "the holder of the lock is unknown",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Gone, "none: the lock was released during the search for its holder"),
            (MissingReason::Off, LARGER_DESCRIPTOR_BUDGET),
        ],
    },
    CoverageItem {
        name: "sockets-net",
        things: "the sockets",
        total: one,
        loss: "all endpoints and connections are unknown",
        remedies: &[
            (MissingReason::Denied, ALL_RIGHTS),
            (MissingReason::Gone, PROCESS_1),
            (MissingReason::Unsupported, "a kernel with CONFIG_NET"),
        ],
    },
    CoverageItem {
        name: "sockets-listing",
        things: "the sockets as the kernel lists them",
        total: one,
        loss: "round-trip times, retransmits and the peers of Unix sockets are unknown",
        remedies: &[(
            MissingReason::Unsupported,
            "the host's network namespace, and a kernel with CONFIG_INET_DIAG and CONFIG_UNIX_DIAG",
        )],
    },
    CoverageItem {
        name: "sockets-elsewhere",
        things: "processes",
        total: processes,
        loss: "their connections are unknown: they are in another network namespace",
        remedies: &[(MissingReason::Denied, "CAP_SYS_ADMIN, or root; or a producer in that namespace")],
    },
    CoverageItem {
        name: "network-namespaces",
        things: "network namespaces",
        total: |_, missing| missing,
        loss: "the connections in them are unknown",
        remedies: &[(MissingReason::Off, "none: there are too many to list in one sweep")],
    },
    CoverageItem {
        name: "filesystems",
        things: "the filesystems",
        total: one,
        loss: "full, frozen and read-only filesystems are not detected",
        remedies: &[
            (MissingReason::Denied, PTRACE),
            (MissingReason::Gone, PROCESS_1),
            (MissingReason::Unsupported, "a kernel with `/proc/PID/mountinfo`"),
        ],
    },
    CoverageItem {
        name: "filesystem",
        things: "filesystems",
        total: |_, missing| missing,
        loss: "it is unknown whether they are full",
        remedies: &[
            (MissingReason::Denied, "CAP_DAC_READ_SEARCH, or root"),
            (MissingReason::Gone, "none: they were unmounted, or this process cannot reach their mount points"),
            (MissingReason::Unsupported, "none: they do not report their size"),
        ],
    },
    CoverageItem {
        name: "filesystems-elsewhere",
        things: "devices with open files",
        total: |_, missing| missing,
        loss: "it is unknown whether they are full: they are mounted in other mount namespaces only",
        remedies: &[(MissingReason::Unsupported, "a producer in that namespace")],
    },
    CoverageItem {
        name: "frozen-filesystem",
        things: "tasks that wait until a filesystem is thawed",
        total: |_, missing| missing,
        loss: "it is unknown which filesystem is frozen",
        remedies: &[
            (MissingReason::Denied, PTRACE),
            (MissingReason::Unsupported, "none: their system calls do not name the filesystem"),
        ],
    },
    CoverageItem {
        name: "endpoint",
        things: "endpoints",
        total: |snapshot, missing| nodes(snapshot, &NodeKind::Endpoint) + missing,
        loss: "the remote endpoints with the fewest connections are left out",
        remedies: &[(MissingReason::Off, "none: the number of endpoints in a snapshot is limited")],
    },
    CoverageItem {
        name: "pipes",
        things: "pairs of a reader and a writer",
        total: |snapshot, missing| edges(snapshot, &EdgeKind::Pipes) + missing,
        loss: "their `pipes` edges are left out",
        remedies: &[(MissingReason::Off, "none: the pipe has too many readers and writers")],
    },
    CoverageItem {
        name: "snapshot",
        things: "the snapshots before",
        total: |_, missing| missing,
        loss: "they were dropped",
        remedies: &[(MissingReason::Gone, "a faster bus, or a larger `sweep.queue_bytes`")],
    },
];

impl CoverageItem {
    /// The item of that name.
    pub fn from_name(name: &str) -> Option<&'static CoverageItem> {
        COVERAGE.iter().find(|item| item.name == name)
    }

    /// How many of its things the host has: those that were read and the `missing` ones.
    pub fn total(&self, snapshot: &GraphSnapshot, missing: i64) -> i64 {
        (self.total)(snapshot, missing).max(missing)
    }

    /// What would provide it.
    pub fn remedy(&self, reason: &MissingReason) -> Option<&'static str> {
        if *reason == MissingReason::Exhausted {
            return Some(MORE_DESCRIPTORS);
        }
        self.remedies.iter().find(|(known, _)| known == reason).map(|(_, remedy)| *remedy)
    }

    /// The signals that are missing or incomplete without it.
    pub fn signals(&self) -> impl Iterator<Item = Signal> {
        Signal::ALL.iter().copied().filter(|signal| signal.definition().source.coverage.contains(&self.name))
    }
}

fn one(_: &GraphSnapshot, _: i64) -> i64 {
    1
}

fn processes(snapshot: &GraphSnapshot, _: i64) -> i64 {
    nodes(snapshot, &NodeKind::Process)
}

fn nodes(snapshot: &GraphSnapshot, kind: &NodeKind) -> i64 {
    count(snapshot.nodes.iter().filter(|node| node.kind == *kind).count())
}

fn edges(snapshot: &GraphSnapshot, kind: &EdgeKind) -> i64 {
    count(snapshot.edges.iter().filter(|edge| edge.kind == *kind).count())
}

fn values(snapshot: &GraphSnapshot, signal: Signal) -> i64 {
    count(snapshot.column(signal.name()).map_or(0, |column| column.nodes.len()))
}

fn sum(snapshot: &GraphSnapshot, signal: Signal) -> i64 {
    let values = snapshot.column(signal.name()).map_or(&[][..], |column| &column.values);
    values.iter().map(|value| f64::from(*value)).sum::<f64>() as i64
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_names_known_items_of_coverage() {
        for signal in Signal::ALL {
            for name in signal.definition().source.coverage {
                assert!(CoverageItem::from_name(name).is_some(), "{}: `{name}`", signal.name());
            }
        }
    }

    #[test]
    fn the_signals_that_an_item_costs_are_those_whose_source_needs_it() {
        let io: Vec<Signal> = CoverageItem::from_name("io").unwrap().signals().collect();
        assert_eq!(io, [ReadBytes, WriteBytes, WriteCallBytes, FailedWrites]);
    }
}
