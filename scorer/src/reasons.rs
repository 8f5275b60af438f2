//! Evidence in words.

use graph::Deviation;
use schemas::{Evidence, Reason};

use crate::{blame::Case, score::Judged};

/// A column's name in words, and the file that it is read from.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("accept_queue", "connections waiting to be accepted", "sock_diag"),
    ("accept_queue_pct", "connections waiting to be accepted, of as many as may", "sock_diag"),
    ("answer_wait_ms", "waiting for an answer", "sock_diag"),
    ("at_memory_limit", "times at its memory limit", "cgroup memory.events"),
    ("block_delay_pct", "time spent waiting for storage", "/proc/PID/stat"),
    ("blocked_ms", "waiting for a lock", "/proc/locks"),
    ("blocks_ms", "the longest wait that others have because of it", "/proc/locks"),
    ("blocks_tasks", "tasks waiting because of it", "/proc/locks"),
    ("children", "children", "/proc/PID/stat"),
    ("children_cpu_pct", "CPU use of children that have exited", "/proc/PID/stat"),
    ("children_faults", "page faults of children that have exited", "/proc/PID/stat"),
    ("clock_parted_ms", "the time of day was set by", "clock"),
    ("connections", "connections", "sock_diag"),
    ("conntrack_pct", "table of tracked connections in use", "/proc/sys/net/netfilter/nf_conntrack_count"),
    ("cpu_pct", "CPU use", "/proc/PID/stat"),
    ("cpu_quota_used_pct", "CPU use of its quota", "cgroup cpu.stat"),
    ("cpu_system_pct", "CPU use in the kernel", "/proc/PID/stat"),
    ("disk_busy_pct", "disk busy", "/proc/diskstats"),
    ("disk_read", "reading from the disk", "/proc/diskstats"),
    ("disk_wait", "in uninterruptible wait", "/proc/PID/stat"),
    ("disk_written", "writing to the disk", "/proc/diskstats"),
    ("failing_writes", "writes, none of which writes a byte", "/proc/PID/io"),
    ("fds", "open files", "/proc/PID/fd"),
    ("fds_pct", "open files, of as many as it may have", "/proc/PID/limits"),
    ("filled", "what it has added to a nearly full filesystem", "/proc/PID/fd"),
    ("forks", "processes begun", "/proc/PID/stat"),
    ("frozen", "frozen", "cgroup.events"),
    ("futex_wait_ms", "several of its threads at one futex while it owes an answer", "/proc/PID/syscall"),
    ("group_memory", "memory in use", "cgroup memory.current"),
    ("group_oom_kills", "processes killed for want of memory", "cgroup memory.events"),
    ("group_psi_cpu_full", "time in which all wait for a CPU", "cgroup cpu.pressure"),
    ("group_psi_cpu_some", "time in which some wait for a CPU", "cgroup cpu.pressure"),
    ("group_psi_io_full", "time in which all wait for I/O", "cgroup io.pressure"),
    ("group_psi_io_some", "time in which some wait for I/O", "cgroup io.pressure"),
    ("group_psi_memory_full", "time in which all wait for memory", "cgroup memory.pressure"),
    ("group_psi_memory_some", "time in which some wait for memory", "cgroup memory.pressure"),
    ("group_read_bytes", "reading", "cgroup io.stat"),
    ("group_write_bytes", "writing", "cgroup io.stat"),
    ("host_oom_kills", "processes killed for want of memory", "/proc/vmstat"),
    ("host_switches", "context switches of the host", "/proc/stat"),
    ("inodes_used_pct", "inodes in use", "statvfs"),
    ("listen_drops", "connections that listeners dropped", "/proc/PID/net/netstat"),
    ("listen_overflows", "connections dropped by full accept queues", "/proc/PID/net/netstat"),
    ("lock_wait_ms", "the longest wait for its lock", "/proc/locks"),
    ("lock_waiters", "tasks waiting for its lock", "/proc/locks"),
    ("major_faults", "major page faults", "/proc/PID/stat"),
    ("memory_growth", "growth of private memory", "/proc/PID/statm"),
    ("memory_limit_used_pct", "memory in use, of its limit", "cgroup memory.current"),
    ("memory_rss", "resident memory", "/proc/PID/statm"),
    ("minor_faults", "minor page faults", "/proc/PID/stat"),
    ("oom_score", "closeness to being killed for want of memory", "/proc/PID/oom_score"),
    ("open_by", "processes that have it open", "/proc/PID/fd"),
    ("owing_ms", "owing an answer", "sock_diag"),
    ("pids_limit_used_pct", "processes and threads, of its limit", "cgroup pids.current"),
    ("processes", "processes", "/proc/PID/cgroup"),
    ("read_bytes", "reading", "/proc/PID/io"),
    ("read_only", "cannot be written to", "statvfs"),
    ("read_wait_ms", "waiting to read", "/proc/PID/syscall"),
    ("recv_queue", "bytes received and not read", "sock_diag"),
    ("request_ms", "time that a request to the disk takes", "/proc/diskstats"),
    ("requests_in_flight", "requests to the disk under way", "/proc/diskstats"),
    ("retransmits", "TCP retransmits", "sock_diag"),
    ("rtt_ms", "TCP round-trip time", "sock_diag"),
    ("run_delay_pct", "time spent waiting for a CPU", "/proc/PID/schedstat"),
    ("running", "running", "/proc/PID/stat"),
    ("segments_resent", "TCP segments sent again", "/proc/PID/net/snmp"),
    ("send_queue", "bytes sent and not acknowledged", "sock_diag"),
    ("sockets", "sockets", "/proc/PID/fd"),
    ("space_free", "free space", "statvfs"),
    ("space_used_pct", "space in use", "statvfs"),
    ("stopped", "stopped by a signal", "/proc/PID/stat"),
    ("stuck_writers", "tasks waiting until it is thawed", "/proc/PID/wchan"),
    ("swapped_in", "reading from swap", "/proc/vmstat"),
    ("swapped_out", "writing to swap", "/proc/vmstat"),
    ("switches", "turns on a CPU", "/proc/PID/schedstat"),
    ("syn_cookies", "connections begun with SYN cookies", "/proc/PID/net/netstat"),
    ("tasks_blocked", "tasks waiting for storage", "/proc/stat"),
    ("tasks_running", "tasks running or able to", "/proc/stat"),
    ("tcp_timeouts", "TCP time-outs", "/proc/PID/net/netstat"),
    ("threads", "threads", "/proc/PID/stat"),
    ("throttled_pct", "time stopped for its CPU quota", "cgroup cpu.stat"),
    ("throttled_periods_pct", "periods in which its CPU quota was used up", "cgroup cpu.stat"),
    ("traced", "stopped by a tracer", "/proc/PID/stat"),
    ("unread_ms", "leaving unread what it received", "sock_diag"),
    ("uptime_ms", "time since boot", "/proc/uptime"),
    ("write_bytes", "writing", "/proc/PID/io"),
    ("write_wait_ms", "waiting to write", "/proc/PID/syscall"),
    ("writes_frozen", "frozen: those who write to it wait", "/proc/PID/wchan"),
    ("written", "writing, to whatever", "/proc/PID/io"),
    ("zombie", "exited and not reaped", "/proc/PID/stat"),
    ("zombies", "children that it does not wait for", "/proc/PID/stat"),
];

/// A value that is not as it should be.
pub fn of_deviation(judged: &Judged, deviation: &Deviation) -> Option<Reason> {
    let (name, unit) = judged.columns.get(deviation.column)?;
    let (label, source) = COLUMNS
        .iter()
        .find(|(column, ..)| column == name)
        .map_or((name.as_str(), ""), |(_, label, source)| (*label, *source));
    let (expected, observed) = (f64::from(deviation.expected), f64::from(deviation.observed));
    let text = match unit.as_str() {
        "flag" => label.to_owned(),
        _ => format!("{label}: {}, normally {}", quantity(observed, unit), quantity(expected, unit)),
    };
    Some(Reason {
        text,
        expected: Some(expected),
        observed: Some(observed),
        unit: unit.clone(),
        source: source.to_owned(),
    })
}

/// That others wait for the root's lock.
pub fn of_lock(judged: &Judged, case: &Case) -> Option<Reason> {
    let path = judged.graph.nodes()[case.locked_file?].path.as_deref().unwrap_or("a file");
    let longest = longest_wait_ms(judged, case);
    let waiting = waiting(case.victims.len());
    Some(Reason {
        text: format!("holds the lock on {path} that {waiting} for, the longest for {}", quantity(longest, "ms")),
        expected: Some(0.0),
        observed: Some(longest),
        unit: "ms".to_owned(),
        source: "/proc/locks".to_owned(),
    })
}

/// That others wait for the root to read.
pub fn of_reader(judged: &Judged, case: &Case) -> Reason {
    let longest = longest_wait_ms(judged, case);
    let waiting = waiting(case.victims.len());
    Reason {
        text: format!("does not read what is written to it; {waiting}, the longest for {}", quantity(longest, "ms")),
        expected: Some(0.0),
        observed: Some(longest),
        unit: "ms".to_owned(),
        source: "/proc/PID/syscall".to_owned(),
    }
}

/// A raw line.
pub fn of_evidence(evidence: &Evidence) -> Reason {
    Reason {
        text: evidence.text.clone(),
        expected: None,
        observed: None,
        unit: String::new(),
        source: format!("{}: {}", evidence.source, evidence.text),
    }
}

/// How long the longest wait of a case's victims has lasted, in milliseconds.
pub fn longest_wait_ms(judged: &Judged, case: &Case) -> f64 {
    let waits = judged.graph.dependants(case.root).filter_map(|(edge, _)| edge.blocked_ms);
    let of_victims = case.victims.iter().flat_map(|&victim| judged.graph.dependencies(victim));
    f64::from(waits.chain(of_victims.filter_map(|(edge, _)| edge.blocked_ms)).fold(0.0, f32::max))
}

/// A value with its unit, as a person writes it.
pub fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "percent" | "percent-good" => format!("{value:.0} %"),
        "ms" if value.abs() >= 1000.0 => format!("{:.1} s", value / 1000.0),
        "ms" => format!("{value:.0} ms"),
        "B" => bytes(value),
        "B/s" => format!("{}/s", bytes(value)),
        "count" | "flag" => format!("{value:.0}"),
        "1/s" => format!("{value:.1}/s"),
        "" => format!("{value:.3}"),
        other => format!("{value:.3} {other}"),
    }
}

fn bytes(value: f64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match UNITS.iter().find(|(_, size)| value.abs() >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", value / size),
        None => format!("{value:.0} B"),
    }
}

/// One sentence that says what happened.
pub fn summary(judged: &Judged, case: &Case) -> String {
    let node = &judged.graph.nodes()[case.root];
    if !case.is_known {
        let path = node.path.as_deref().unwrap_or(&node.name);
        let waiting = waiting(case.victims.len().max(case.alarming.len()));
        return format!("{waiting} for the lock on {path}; who holds it cannot be seen");
    }
    let who = match node.pid {
        Some(pid) => format!("{} (pid {pid})", node.name),
        None => format!("{} `{}`", node.kind, node.name),
    };
    let strongest = || of_deviation(judged, judged.scores[case.root].deviations.first()?).map(|reason| reason.text);
    let what = match &*case.trouble {
        crate::blame::HOLDS_LOCK => of_lock(judged, case).map(|reason| reason.text).or_else(strongest),
        crate::blame::DOES_NOT_READ => Some(of_reader(judged, case).text),
        trouble => judged.scores[case.root]
            .deviations
            .iter()
            .find(|deviation| judged.columns.get(deviation.column).is_some_and(|(name, _)| name == trouble))
            .and_then(|deviation| of_deviation(judged, deviation))
            .map(|reason| reason.text),
    };
    let harm = match case.victims.len() {
        0 => String::new(),
        _ if [crate::blame::HOLDS_LOCK, crate::blame::DOES_NOT_READ].contains(&&*case.trouble) => String::new(),
        1 => "; 1 other suffers".to_owned(),
        n => format!("; {n} others suffer"),
    };
    format!("{who}: {}{harm}", what.unwrap_or_else(|| "deviates from what is normal for it".to_owned()))
}

fn waiting(n: usize) -> String {
    if n == 1 { "1 process waits".to_owned() } else { format!("{n} processes wait") }
}
