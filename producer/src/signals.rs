//! The signals that can be missing from a snapshot: what is lost without each of them, and what would give it.

use schemas::{EdgeKind, GraphSnapshot, MissingReason, NodeKind};

/// A signal, as the coverage of snapshots names it.
#[derive(Clone, Copy)]
pub struct Signal {
    /// Its name.
    pub name: &'static str,
    /// What it is counted in, for people.
    pub things: &'static str,
    /// How many of these there are beside a number that is missing.
    total: fn(&GraphSnapshot, i64) -> i64,
    /// What cannot be told without it.
    pub without: &'static str,
    /// What would give it, by the reason why it is missing.
    remedies: &'static [(&'static str, &'static str)],
}

/// All of them, the widest first.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "process-hidden",
        things: "tasks",
        total: |snapshot, missing| sum(snapshot, "threads") + missing,
        without: "their processes are in no graph: neither suspects nor victims",
        remedies: &[(
            "denied",
            "CAP_SYS_PTRACE, the group of the mount's `gid=`, or `mount -o remount,hidepid=off /proc`",
        )],
    },
    Signal {
        name: "process",
        things: "processes",
        total: |snapshot, missing| processes(snapshot, missing) + missing,
        without: "they are in no graph: neither suspects nor victims",
        remedies: &[
            ("denied", "CAP_SYS_PTRACE, the group of the mount's `gid=`, or `mount -o remount,hidepid=off /proc`"),
            ("gone", ENDED),
            ("unsupported", "a kernel whose `/proc/PID/stat` has the known form"),
        ],
    },
    Signal {
        name: "executable",
        things: "processes",
        total: processes,
        without: "their roles are their names alone, which other programs can have too",
        remedies: &[("denied", "CAP_SYS_PTRACE, or root")],
    },
    Signal {
        name: "cmdline",
        things: "processes",
        total: processes,
        without: "their scripts and titles are not known, so that their roles are those of their programs",
        remedies: &[("late", "nothing: their memory does not answer, and they are asked again")],
    },
    Signal {
        name: "environ",
        things: "processes in containers",
        total: processes,
        without: "their containers have no name that lasts when they are made anew",
        remedies: &[
            ("denied", "CAP_SYS_PTRACE, or root"),
            ("late", "nothing: their memory does not answer, and they are asked again"),
        ],
    },
    Signal {
        name: "cgroups",
        things: "the control groups",
        total: one,
        without: "no throttling, limits, pressure or kills of any group are seen",
        remedies: &[("unsupported", "the host's control groups, named in `sweep.cgroup`")],
    },
    Signal {
        name: "cgroup",
        things: "control groups",
        total: |snapshot, missing| nodes(snapshot, &NodeKind::Cgroup) + missing,
        without: "their throttling, limits, pressure and kills are not seen",
        remedies: &[("denied", "the host's control groups and its cgroup namespace (`cgroup: host`)")],
    },
    Signal {
        name: "network-namespace",
        things: "processes",
        total: processes,
        without: "it is not known whether their sockets are among those that are listed",
        remedies: &[("denied", "CAP_SYS_PTRACE, or root"), ("unsupported", "a kernel with CONFIG_NET_NS")],
    },
    Signal {
        name: "fd",
        things: "processes",
        total: processes,
        without: "their descriptors are not counted; no file, lock, pipe or socket is seen to be theirs",
        remedies: &[("denied", BOTH)],
    },
    Signal {
        name: "fd-link",
        things: "processes whose descriptors are counted",
        total: |snapshot, _| values(snapshot, "fds"),
        without: "no file, lock, pipe or socket is seen to be theirs",
        remedies: &[("denied", "CAP_SYS_PTRACE, or root")],
    },
    Signal {
        name: "syscall",
        things: "processes",
        total: processes,
        without: "what they wait for is seen only where the kernel's list of locks names them",
        remedies: &[("denied", BOTH), ("unsupported", "a kernel with CONFIG_HAVE_ARCH_TRACEHOOK")],
    },
    Signal {
        name: "io",
        things: "processes",
        total: processes,
        without: "none of them can be named as the one that reads or writes too much",
        remedies: &[("denied", BOTH), ("unsupported", "a kernel with CONFIG_TASK_IO_ACCOUNTING")],
    },
    Signal {
        name: "run-delay",
        things: "processes",
        total: processes,
        without: "it is not seen that they wait for a CPU",
        remedies: &[("denied", BOTH), ("unsupported", "a kernel with CONFIG_SCHED_INFO")],
    },
    Signal {
        name: "memory",
        things: "processes",
        total: processes,
        without: "it is not seen how much memory they have, nor that it grows",
        remedies: &[("denied", BOTH), ("unsupported", "a kernel with CONFIG_PROC_PAGE_MONITOR")],
    },
    Signal {
        name: "limits",
        things: "processes",
        total: processes,
        without: "it is not known how many files they may have open",
        remedies: &[("denied", BOTH), ("gone", ENDED), ("unsupported", "a kernel with `/proc/PID/limits`")],
    },
    Signal {
        name: "threads",
        things: "threads",
        total: |snapshot, _| sum(snapshot, "threads"),
        without: "a thread that waits is missed if its main thread does not",
        remedies: &[("off", "more of `sweep.deep_cpu_percent`")],
    },
    Signal {
        name: "locks",
        things: "the list of locks",
        total: one,
        without: "a lock's holder is named only by who has the file open, and a wait only by who waits",
        remedies: &[("denied", BOTH), ("unsupported", "a kernel with CONFIG_FILE_LOCKING")],
    },
    Signal {
        name: "lock-waiter",
        things: "waits for locks",
        total: |snapshot, missing| sum(snapshot, "lock_waiters") + missing,
        without: "it is not known who waits, nor for whom",
        remedies: &[("denied", BOTH), ("gone", ENDED)],
    },
    Signal {
        name: "lock-holder",
        things: "waits for locks",
        total: |snapshot, _| sum(snapshot, "lock_waiters"),
        without: "no holder of the lock can be named",
        remedies: &[("denied", BOTH), ("gone", "nothing: the lock was given up while it was looked for")],
    },
    Signal {
        name: "sockets-net",
        things: "the sockets",
        total: one,
        without: "no endpoint and no connection is seen",
        remedies: &[
            ("denied", BOTH),
            ("gone", "a `proc` that shows process 1"),
            ("unsupported", "a kernel with CONFIG_NET"),
        ],
    },
    Signal {
        name: "sockets-listing",
        things: "the sockets as the kernel lists them",
        total: one,
        without: "no round-trip times, retransmissions or peers of Unix sockets are known",
        remedies: &[(
            "unsupported",
            "the host's network namespace, and a kernel with CONFIG_INET_DIAG and CONFIG_UNIX_DIAG",
        )],
    },
    Signal {
        name: "sockets-elsewhere",
        things: "processes",
        total: processes,
        without: "their connections are not seen: they are in another network namespace",
        remedies: &[("denied", "CAP_SYS_ADMIN, or root; or a producer in that namespace")],
    },
    Signal {
        name: "network-namespaces",
        things: "network namespaces",
        total: |_, missing| missing,
        without: "the connections in them are not seen",
        remedies: &[("off", "nothing: there are too many to list in one sweep")],
    },
    Signal {
        name: "filesystems",
        things: "the filesystems",
        total: one,
        without: "none is seen to be full, frozen or read-only",
        remedies: &[
            ("denied", "CAP_SYS_PTRACE, or root"),
            ("gone", "a `proc` that shows process 1"),
            ("unsupported", "a kernel with `/proc/PID/mountinfo`"),
        ],
    },
    Signal {
        name: "filesystem",
        things: "filesystems",
        total: |_, missing| missing,
        without: "it is not seen whether they are full",
        remedies: &[
            ("denied", "CAP_DAC_READ_SEARCH, or root"),
            ("gone", "nothing: they were unmounted, or are mounted where this process cannot reach"),
            ("unsupported", "nothing: they do not say"),
        ],
    },
    Signal {
        name: "filesystems-elsewhere",
        things: "devices with open files",
        total: |_, missing| missing,
        without: "it is not seen whether they are full: they are mounted in other mount namespaces alone",
        remedies: &[("unsupported", "a producer in that namespace")],
    },
    Signal {
        name: "frozen-filesystem",
        things: "tasks that wait until a filesystem is thawed",
        total: |_, missing| missing,
        without: "it is not known which filesystem is frozen",
        remedies: &[
            ("denied", "CAP_SYS_PTRACE, or root"),
            ("unsupported", "nothing: what they do does not say which one they wait for"),
        ],
    },
    Signal {
        name: "endpoint",
        things: "endpoints",
        total: |snapshot, missing| nodes(snapshot, &NodeKind::Endpoint) + missing,
        without: "the remote endpoints with the fewest connections are not shown",
        remedies: &[("off", "nothing: so many say nothing of any one")],
    },
    Signal {
        name: "pipes",
        things: "pairs of a reader and a writer",
        total: |snapshot, missing| edges(snapshot, &EdgeKind::Pipes) + missing,
        without: "it is not shown who reads what they write",
        remedies: &[("off", "nothing: a pipe that so many share says nothing of any two of them")],
    },
    Signal {
        name: "snapshot",
        things: "the snapshots before",
        total: |_, missing| missing,
        without: "they were dropped, and what they showed is lost",
        remedies: &[("gone", "a bus that keeps up, or more of `sweep.queue_bytes`")],
    },
];

const BOTH: &str = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or root";
const ENDED: &str = "nothing: they ended while they were read";

impl Signal {
    /// The signal of that name.
    pub fn named(name: &str) -> Option<&'static Signal> {
        SIGNALS.iter().find(|signal| signal.name == name)
    }

    /// How many things there are of which it could be seen, with so many of which it is missing.
    pub fn total(&self, snapshot: &GraphSnapshot, missing: i64) -> i64 {
        (self.total)(snapshot, missing).max(missing)
    }

    /// What would give it.
    pub fn remedy(&self, reason: &MissingReason) -> Option<&'static str> {
        self.remedies.iter().find(|(known, _)| reason == known).map(|(_, remedy)| *remedy)
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

fn values(snapshot: &GraphSnapshot, column: &str) -> i64 {
    count(snapshot.column(column).map_or(0, |column| column.nodes.len()))
}

fn sum(snapshot: &GraphSnapshot, column: &str) -> i64 {
    snapshot.column(column).map_or(0, |column| column.values.iter().map(|value| f64::from(*value)).sum::<f64>() as i64)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
