//! The files and calls that signals are read from.

/// Where a signal is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file or call, as reasons name it.
    pub path: &'static str,
    /// The items of coverage without which the signal is missing or incomplete.
    pub coverage: &'static [&'static str],
}

const fn source(path: &'static str, coverage: &'static [&'static str]) -> Source {
    Source { path, coverage }
}

/// A file of a control group's directory.
pub(crate) const fn cgroup(path: &'static str) -> Source {
    source(path, &["cgroups", "cgroup"])
}

/// A file that describes the whole host.
pub(crate) const fn host(path: &'static str) -> Source {
    source(path, &[])
}

const PROCESS: &[&str] = &["process-hidden", "process"];

pub(crate) const STAT: Source = source("/proc/PID/stat", PROCESS);
pub(crate) const PID_CGROUP: Source = source("/proc/PID/cgroup", PROCESS);
pub(crate) const OOM_SCORE: Source = source("/proc/PID/oom_score", PROCESS);
pub(crate) const STATM: Source = source("/proc/PID/statm", &["process-hidden", "process", "memory"]);
pub(crate) const SCHEDSTAT: Source = source("/proc/PID/schedstat", &["process-hidden", "process", "run-delay"]);
pub(crate) const IO: Source = source("/proc/PID/io", &["process-hidden", "process", "io"]);
pub(crate) const FD: Source = source("/proc/PID/fd", &["process-hidden", "process", "fd"]);
pub(crate) const FD_LINKS: Source =
    source("/proc/PID/fd", &["process-hidden", "process", "fd", "fd-link", "descriptors"]);
pub(crate) const LIMITS: Source = source("/proc/PID/limits", &["process-hidden", "process", "fd", "limits"]);
pub(crate) const SYSCALL: Source =
    source("/proc/PID/syscall", &["process-hidden", "process", "fd", "fd-link", "descriptors", "syscall", "threads"]);
pub(crate) const LOCKS: Source = source(
    "/proc/locks",
    &["process-hidden", "process", "fd", "fd-link", "syscall", "threads", "locks", "lock-waiter", "lock-holder"],
);
pub(crate) const SOCKETS: Source = source(
    "sock_diag",
    &[
        "process-hidden",
        "process",
        "network-namespace",
        "fd",
        "fd-link",
        "descriptors",
        "sockets-net",
        "sockets-listing",
        "sockets-elsewhere",
        "network-namespaces",
        "endpoint",
    ],
);
pub(crate) const STATVFS: Source = source("statvfs", &["filesystems", "filesystem", "filesystems-elsewhere"]);
pub(crate) const WCHAN: Source =
    source("/proc/PID/wchan", &["syscall", "threads", "filesystems", "filesystems-elsewhere", "frozen-filesystem"]);
