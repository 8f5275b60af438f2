//! The rows of the catalogue, in the order of a snapshot's columns.

use schemas::{Form, Unit};

use crate::{
    class::{
        Class::*,
        Resource::{Connections as ConnectionSlots, Cpu as CpuTime, Memory as Ram, *},
        WaitFor::*,
    },
    entity::Entity,
    scale::Side::*,
    signal::{Definition, Options},
    source::*,
};

/// Declares the enum of signals and their definitions. A row is
/// `Variant: name, unit, form, [entities], label, source, class, option = value ...;`, and its
/// documentation becomes that of the variant and of the definition.
macro_rules! catalogue {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident: $name:literal, $unit:ident, $form:ident, [$($entity:ident),+],
        $label:literal, $source:expr, $class:expr $(, $option:ident = $value:expr)*;
    )+) => {
        /// A signal: one quantity that is measured of some nodes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Signal { $($(#[doc = $doc])+ $variant,)+ }

        static DEFINITIONS: &[Definition] = &[$({
            const OPTIONS: Options = Options { $($option: $value,)* ..Options::DEFAULT };
            Definition {
                name: $name,
                former_names: OPTIONS.formerly,
                unit: Unit::$unit,
                form: Form::$form,
                entities: &[$(Entity::$entity),+],
                label: $label,
                source: $source,
                class: $class,
                side: OPTIONS.side,
                scale: OPTIONS.scale(&Unit::$unit),
                doc: concat!($($doc),+),
            }
        },)+];

        impl Signal {
            /// All signals, in the order of a snapshot's columns.
            pub const ALL: &'static [Signal] = &[$(Signal::$variant),+];

            /// The signal's row.
            pub fn definition(self) -> &'static Definition {
                &DEFINITIONS[self as usize]
            }
        }
    };
}

catalogue! {
    /// CPU time, in percent of one core.
    CpuPct: "cpu_pct", Percent, Rate, [Process], "CPU use", STAT, Use(&[CpuTime]);
    /// CPU time in kernel mode, in percent of one core.
    CpuSystemPct: "cpu_system_pct", Percent, Rate, [Process], "CPU use in kernel mode", STAT, Load;
    /// CPU time of children that have exited, in percent of one core.
    ChildrenCpuPct: "children_cpu_pct", Percent, Rate, [Process], "CPU use of exited children", STAT, Load;
    /// Resident memory.
    MemoryRss: "memory_rss", Bytes, Gauge, [Process], "resident memory", STATM, Use(&[Ram]);
    /// Growth of private resident memory.
    MemoryGrowth: "memory_growth", BytesPerSecond, Rate, [Process],
        "growth of private memory", STATM, Use(&[Ram]);
    /// Threads.
    Threads: "threads", Count, Gauge, [Process], "threads", STAT, Use(&[Tasks]);
    /// Open file descriptors.
    Fds: "fds", Count, Gauge, [Process], "open file descriptors", FD, Use(&[Descriptors]);
    /// Open file descriptors, in percent of the soft limit; 0 without a limit.
    FdsPct: "fds_pct", Percent, Gauge, [Process],
        "open file descriptors, of the limit", LIMITS, Limit(Descriptors), of_limit = true;
    /// Open sockets.
    Sockets: "sockets", Count, Gauge, [Process], "open sockets", FD_LINKS, Use(&[Descriptors]);
    /// Page faults that needed no I/O.
    MinorFaults: "minor_faults", PerSecond, Rate, [Process], "minor page faults", STAT, Load, side = Neither;
    /// Page faults of exited children that needed no I/O. Many short-lived children show here.
    ChildrenMinorFaults: "children_minor_faults", PerSecond, Rate, [Process],
        "minor page faults of exited children", STAT, Load, formerly = &["children_faults"], floor = Some(1.0);
    /// Page faults that needed I/O. A program that starts faults for a moment, hence the floor.
    MajorFaults: "major_faults", PerSecond, Rate, [Process], "major page faults", STAT, Lack(Ram), floor = Some(1.0);
    /// Time the main thread spent runnable but not running, in percent of the interval.
    RunDelayPct: "run_delay_pct", Percent, Rate, [Process],
        "time runnable but not running (main thread)", SCHEDSTAT, Lack(CpuTime);
    /// Time the main thread waited for block I/O, in percent of the interval.
    BlockDelayPct: "block_delay_pct", Percent, Rate, [Process],
        "time waiting for block I/O (main thread)", STAT, Lack(StorageIo);
    /// Timeslices that the main thread ran.
    Timeslices: "timeslices", PerSecond, Rate, [Process],
        "timeslices (main thread)", SCHEDSTAT, Load, formerly = &["switches"], side = Neither;
    /// Bytes read from storage. Bulk I/O alone may be a backup, hence the floor.
    ReadBytes: "read_bytes", BytesPerSecond, Rate, [Process],
        "reads from storage", IO, Use(&[StorageIo]), floor = Some(0.8);
    /// Bytes written to storage. Bulk I/O alone may be a backup, hence the floor.
    WriteBytes: "write_bytes", BytesPerSecond, Rate, [Process],
        "writes to storage", IO, Use(&[StorageIo, StorageSpace]), floor = Some(0.8);
    /// Bytes passed to write calls, whatever they write to: storage, a pipe, a socket or memory.
    WriteCallBytes: "write_call_bytes", BytesPerSecond, Rate, [Process],
        "bytes passed to write calls", IO, Use(&[StorageSpace]), formerly = &["written"], floor = Some(1.0);
    /// Write calls per second while none of them writes a byte.
    FailedWrites: "failed_writes", PerSecond, Rate, [Process],
        "failed write calls", IO, Failure(Some(StorageSpace)), formerly = &["failing_writes"];
    /// Recent growth of the files that the process writes on nearly full filesystems, if it is one
    /// of those that have added most. What is five minutes old counts half.
    FilesystemGrowth: "filesystem_growth", Bytes, Gauge, [Process],
        "bytes added to a nearly full filesystem", FD_LINKS, Contribution(StorageSpace), formerly = &["filled"];
    /// The kernel's OOM score: of two processes, it kills the one with the higher score first.
    OomScore: "oom_score", Count, Gauge, [Process], "OOM score", OOM_SCORE, Context, side = Neither;
    /// Child processes.
    Children: "children", Count, Gauge, [Process], "child processes", STAT, Load;
    /// Children that have exited and that the process has not reaped.
    Zombies: "zombies", Count, Gauge, [Process], "children not reaped", STAT, Failure(None);
    /// Process: new processes below it, counted once they are a second old. CPU: new tasks.
    Forks: "forks", PerSecond, Rate, [Process, Cpu], "new processes", STAT, Load;
    /// State R, running or runnable.
    Running: "running", Flag, Flag, [Process], "running", STAT, Context, side = Neither, floor = Some(1.0);
    /// State D, uninterruptible sleep. A moment of it is common, hence the floor.
    DiskWait: "disk_wait", Flag, Flag, [Process], "in uninterruptible sleep", STAT, Wait(Kernel), floor = Some(0.3);
    /// State T, stopped by a signal.
    Stopped: "stopped", Flag, Flag, [Process], "stopped by a signal", STAT, Suspended;
    /// State t, stopped by a tracer.
    Traced: "traced", Flag, Flag, [Process], "stopped by a tracer", STAT, Suspended, floor = Some(0.3);
    /// State Z, exited but not reaped.
    Zombie: "zombie", Flag, Flag, [Process], "exited but not reaped", STAT, Failure(None), floor = Some(0.3);
    /// Age of the longest wait for a lock or a frozen filesystem.
    BlockedMs: "blocked_ms", Milliseconds, Gauge, [Process], "waiting for a lock", LOCKS, Wait(Lock);
    /// Time that a task has stayed in one write to a pipe or socket whose peer does not read.
    WriteWaitMs: "write_wait_ms", Milliseconds, Gauge, [Process], "blocked in a write", SYSCALL, Wait(Reader);
    /// Time that a task has stayed in one read of a pipe, or of a socket whose client it is.
    ReadWaitMs: "read_wait_ms", Milliseconds, Gauge, [Process], "blocked in a read", SYSCALL, Wait(Response);
    /// Age of the oldest request without a response; over a Unix socket, of the oldest unread one.
    ResponseWaitMs: "response_wait_ms", Milliseconds, Gauge, [Process],
        "waiting for a response", SOCKETS, Wait(Response), formerly = &["answer_wait_ms"];
    /// Age of the oldest request that was received and has no response.
    RequestPendingMs: "request_pending_ms", Milliseconds, Gauge, [Process, Endpoint],
        "oldest pending request", SOCKETS, Pending, formerly = &["owing_ms"];
    /// Time that several threads have stayed at one futex while a request was pending.
    FutexWaitMs: "futex_wait_ms", Milliseconds, Gauge, [Process],
        "several threads at one futex while a request is pending", SYSCALL, Pending;
    /// Age of the oldest received data that the process has not read.
    UnreadMs: "unread_ms", Milliseconds, Gauge, [Process], "received data left unread", SOCKETS, Pending;
    /// Age of the longest wait of another task for a lock that the process holds, or for it to
    /// read.
    BlocksOthersMs: "blocks_others_ms", Milliseconds, Gauge, [Process],
        "longest wait that it causes", LOCKS, BlocksOthers, formerly = &["blocks_ms"];
    /// Tasks that wait for a lock that the process holds, or for it to read.
    BlocksOthersTasks: "blocks_others_tasks", Count, Gauge, [Process],
        "tasks that wait for it", LOCKS, BlocksOthers, formerly = &["blocks_tasks"];
    /// Processes that have the file open.
    OpenBy: "open_by", Count, Gauge, [File], "processes that have it open", FD_LINKS, Context, side = Neither;
    /// Tasks that wait for a lock on the file.
    LockWaiters: "lock_waiters", Count, Gauge, [File], "tasks that wait for its lock", LOCKS, BlocksOthers;
    /// Age of the longest wait for a lock on the file.
    LockWaitMs: "lock_wait_ms", Milliseconds, Gauge, [File], "longest wait for its lock", LOCKS, BlocksOthers;
    /// Space used, in percent of what is not reserved for root.
    SpaceUsedPct: "space_used_pct", Percent, Gauge, [Filesystem],
        "space used", STATVFS, Limit(StorageSpace), of_limit = true;
    /// Inodes used.
    InodesUsedPct: "inodes_used_pct", Percent, Gauge, [Filesystem],
        "inodes used", STATVFS, Limit(StorageSpace), of_limit = true;
    /// Space that is free to users other than root.
    SpaceFree: "space_free", Bytes, Gauge, [Filesystem], "free space", STATVFS, Context, side = Neither;
    /// The filesystem is read-only though it was or should be writable.
    ReadOnly: "read_only", Flag, Flag, [Filesystem], "read-only", STATVFS, Limit(StorageSpace);
    /// Writes wait until the filesystem is thawed.
    WritesFrozen: "writes_frozen", Flag, Flag, [Filesystem], "frozen: writes wait", WCHAN, Suspended;
    /// Tasks that wait until the filesystem is thawed.
    FrozenWriters: "frozen_writers", Count, Gauge, [Filesystem],
        "tasks that wait until it is thawed", WCHAN, Suspended, formerly = &["stuck_writers"];
    /// Endpoint: connections. Process: connections that it is the client of.
    Connections: "connections", Count, Gauge, [Process, Endpoint], "connections", SOCKETS, Load;
    /// The longest smoothed TCP round-trip time.
    RttMs: "rtt_ms", Milliseconds, Gauge, [Endpoint], "TCP round-trip time", SOCKETS, Load;
    /// Bytes received and not read yet.
    RecvQueue: "recv_queue", Bytes, Gauge, [Endpoint], "bytes received and not read", SOCKETS, Load;
    /// Bytes sent and not acknowledged yet.
    SendQueue: "send_queue", Bytes, Gauge, [Endpoint], "bytes sent and not acknowledged", SOCKETS, Load;
    /// Connections that wait to be accepted.
    AcceptQueue: "accept_queue", Count, Gauge, [Endpoint], "connections waiting to be accepted", SOCKETS, Load;
    /// Connections that wait to be accepted, in percent of the backlog.
    AcceptQueuePct: "accept_queue_pct", Percent, Gauge, [Endpoint],
        "connections waiting to be accepted, of the backlog", SOCKETS, Limit(ConnectionSlots), of_limit = true;
    /// TCP segments retransmitted.
    Retransmits: "retransmits", PerSecond, Rate, [Endpoint], "TCP retransmits", SOCKETS, Failure(None);
    /// Processes in the group and in the groups below it.
    Processes: "processes", Count, Gauge, [Cgroup], "processes", PID_CGROUP, Context, side = Neither;
    /// Time that the group's tasks were throttled by its CPU quota, summed over all CPUs.
    ThrottledPct: "throttled_pct", Percent, Rate, [Cgroup],
        "time throttled by its CPU quota", cgroup("cgroup cpu.stat"), Limit(CpuTime);
    /// Quota periods in which the group was throttled, of those in which it ran.
    ThrottledPeriodsPct: "throttled_periods_pct", Percent, Rate, [Cgroup],
        "periods in which its CPU quota was used up", cgroup("cgroup cpu.stat"), Limit(CpuTime);
    /// CPU time, in percent of the quota.
    CpuQuotaUsedPct: "cpu_quota_used_pct", Percent, Rate, [Cgroup],
        "CPU use, of the quota", cgroup("cgroup cpu.stat"), Context, side = Neither;
    /// Memory used, page cache included.
    GroupMemory: "group_memory", Bytes, Gauge, [Cgroup],
        "memory used", cgroup("cgroup memory.current"), Context, side = Neither;
    /// Memory used, in percent of the limit.
    MemoryLimitUsedPct: "memory_limit_used_pct", Percent, Gauge, [Cgroup],
        "memory used, of the limit", cgroup("cgroup memory.current"), Limit(Ram), of_limit = true;
    /// Times that the group reached a memory limit and the kernel reclaimed memory from it.
    MemoryLimitHits: "memory_limit_hits", PerSecond, Rate, [Cgroup],
        "hits of the memory limit", cgroup("cgroup memory.events"), Limit(Ram), formerly = &["at_memory_limit"];
    /// Processes of the group that the OOM killer killed.
    GroupOomKills: "group_oom_kills", PerSecond, Rate, [Cgroup],
        "OOM kills", cgroup("cgroup memory.events"), Limit(Ram);
    /// Processes and threads, in percent of the limit.
    PidsLimitUsedPct: "pids_limit_used_pct", Percent, Gauge, [Cgroup],
        "processes and threads, of the limit", cgroup("cgroup pids.current"), Limit(Tasks), of_limit = true;
    /// The group is frozen.
    Frozen: "frozen", Flag, Flag, [Cgroup], "frozen", cgroup("cgroup.events"), Suspended;
    /// Bytes read from storage.
    GroupReadBytes: "group_read_bytes", BytesPerSecond, Rate, [Cgroup],
        "reads from storage", cgroup("cgroup io.stat"), Context, side = Neither;
    /// Bytes written to storage.
    GroupWriteBytes: "group_write_bytes", BytesPerSecond, Rate, [Cgroup],
        "writes to storage", cgroup("cgroup io.stat"), Context, side = Neither;
    /// Time in which some task of the group waited for a CPU, over the last 10 s.
    GroupPsiCpuSome: "group_psi_cpu_some", Percent, Gauge, [Cgroup],
        "time in which some tasks wait for a CPU", cgroup("cgroup cpu.pressure"), Context, side = Neither;
    /// Time in which all tasks of the group waited for a CPU, over the last 10 s.
    GroupPsiCpuFull: "group_psi_cpu_full", Percent, Gauge, [Cgroup],
        "time in which all tasks wait for a CPU", cgroup("cgroup cpu.pressure"), Context, side = Neither;
    /// Time in which some task of the group waited for memory, over the last 10 s.
    GroupPsiMemorySome: "group_psi_memory_some", Percent, Gauge, [Cgroup],
        "time in which some tasks wait for memory", cgroup("cgroup memory.pressure"), Context, side = Neither;
    /// Time in which all tasks of the group waited for memory, over the last 10 s.
    GroupPsiMemoryFull: "group_psi_memory_full", Percent, Gauge, [Cgroup],
        "time in which all tasks wait for memory", cgroup("cgroup memory.pressure"), Context, side = Neither;
    /// Time in which some task of the group waited for I/O, over the last 10 s.
    GroupPsiIoSome: "group_psi_io_some", Percent, Gauge, [Cgroup],
        "time in which some tasks wait for I/O", cgroup("cgroup io.pressure"), Context, side = Neither;
    /// Time in which all tasks of the group waited for I/O, over the last 10 s.
    GroupPsiIoFull: "group_psi_io_full", Percent, Gauge, [Cgroup],
        "time in which all tasks wait for I/O", cgroup("cgroup io.pressure"), Context, side = Neither;
    /// CPU time of the host, in percent of all cores.
    HostCpuPct: "host_cpu_pct", Percent, Rate, [Cpu],
        "CPU use of the host", host("/proc/stat"), Load, formerly = &["busy_pct"];
    /// Memory that programs can still allocate without swapping.
    MemoryAvailable: "memory_available", Bytes, Gauge, [Memory],
        "available memory", host("/proc/meminfo"), Load, side = Low;
    /// Time in which some task waited for a CPU, over the last 10 s.
    PsiCpuSome: "psi_cpu_some", Percent, Gauge, [Cpu],
        "time in which some tasks wait for a CPU", host("/proc/pressure/cpu"), Pressure(CpuTime);
    /// Time in which some task waited for memory, over the last 10 s.
    PsiMemorySome: "psi_memory_some", Percent, Gauge, [Memory],
        "time in which some tasks wait for memory", host("/proc/pressure/memory"), Pressure(Ram);
    /// Time in which all tasks waited for memory, over the last 10 s.
    PsiMemoryFull: "psi_memory_full", Percent, Gauge, [Memory],
        "time in which all tasks wait for memory", host("/proc/pressure/memory"), Pressure(Ram);
    /// Time in which some task waited for I/O, over the last 10 s.
    PsiIoSome: "psi_io_some", Percent, Gauge, [Io],
        "time in which some tasks wait for I/O", host("/proc/pressure/io"), Pressure(StorageIo);
    /// Time in which all tasks waited for I/O, over the last 10 s.
    PsiIoFull: "psi_io_full", Percent, Gauge, [Io],
        "time in which all tasks wait for I/O", host("/proc/pressure/io"), Pressure(StorageIo);
    /// Tasks that run or are runnable.
    TasksRunning: "tasks_running", Count, Gauge, [Cpu],
        "running or runnable tasks", host("/proc/stat"), Load, side = Neither;
    /// Tasks that are blocked on I/O.
    TasksBlocked: "tasks_blocked", Count, Gauge, [Cpu], "tasks blocked on I/O", host("/proc/stat"), Load;
    /// Context switches.
    HostContextSwitches: "host_context_switches", PerSecond, Rate, [Cpu],
        "context switches of the host", host("/proc/stat"), Load, formerly = &["host_switches"], side = Neither;
    /// Processes that the OOM killer killed.
    HostOomKills: "host_oom_kills", PerSecond, Rate, [Memory], "OOM kills", host("/proc/vmstat"), Failure(None);
    /// Bytes read from swap.
    SwapInBytes: "swap_in_bytes", BytesPerSecond, Rate, [Memory],
        "reads from swap", host("/proc/vmstat"), Load, formerly = &["swapped_in"];
    /// Bytes written to swap.
    SwapOutBytes: "swap_out_bytes", BytesPerSecond, Rate, [Memory],
        "writes to swap", host("/proc/vmstat"), Load, formerly = &["swapped_out"];
    /// Time with requests in flight.
    DiskBusyPct: "disk_busy_pct", Percent, Rate, [Disk], "disk busy", host("/proc/diskstats"), Load;
    /// Mean time per request.
    DiskRequestMs: "disk_request_ms", Milliseconds, Gauge, [Disk],
        "time per disk request", host("/proc/diskstats"), Load, formerly = &["request_ms"];
    /// Bytes read.
    DiskReadBytes: "disk_read_bytes", BytesPerSecond, Rate, [Disk],
        "reads from the disk", host("/proc/diskstats"), Load, formerly = &["disk_read"];
    /// Bytes written.
    DiskWriteBytes: "disk_write_bytes", BytesPerSecond, Rate, [Disk],
        "writes to the disk", host("/proc/diskstats"), Load, formerly = &["disk_written"];
    /// Requests in flight.
    DiskRequestsInFlight: "disk_requests_in_flight", Count, Gauge, [Disk],
        "disk requests in flight", host("/proc/diskstats"), Load, formerly = &["requests_in_flight"];
    /// TCP segments retransmitted.
    TcpRetransmits: "tcp_retransmits", PerSecond, Rate, [Network],
        "TCP retransmits of the host", host("/proc/PID/net/snmp"), Failure(None), formerly = &["segments_resent"];
    /// TCP retransmission timeouts.
    TcpTimeouts: "tcp_timeouts", PerSecond, Rate, [Network],
        "TCP timeouts", host("/proc/PID/net/netstat"), Failure(None);
    /// Connections that listeners dropped.
    ListenDrops: "listen_drops", PerSecond, Rate, [Network],
        "connections dropped by listeners", host("/proc/PID/net/netstat"), Failure(Some(ConnectionSlots));
    /// Connections that listeners dropped because their accept queue was full.
    ListenOverflows: "listen_overflows", PerSecond, Rate, [Network],
        "connections dropped by full accept queues", host("/proc/PID/net/netstat"), Failure(Some(ConnectionSlots));
    /// SYN cookies sent: connections begun without memory for them, as in a flood.
    SynCookies: "syn_cookies", PerSecond, Rate, [Network],
        "SYN cookies sent", host("/proc/PID/net/netstat"), Failure(Some(ConnectionSlots));
    /// Tracked connections, in percent of the table's size.
    ConntrackPct: "conntrack_pct", Percent, Gauge, [Network],
        "tracked connections, of the limit", host("/proc/sys/net/netfilter/nf_conntrack_count"),
        Limit(ConnectionSlots), of_limit = true;
    /// Step of the wall clock: how far it moved beyond the time that passed.
    ClockStepMs: "clock_step_ms", Milliseconds, Gauge, [Clock],
        "step of the wall clock", host("clock"), Failure(None), formerly = &["clock_parted_ms"];
    /// Time since boot.
    UptimeMs: "uptime_ms", Milliseconds, Gauge, [Clock], "uptime", host("/proc/uptime"), Context, side = Neither;
}
