//! What is measured, and the reason for each value that is missing.

use hostread::Seen;

macro_rules! measures {
    ($($(#[$doc:meta])* $measure:ident = $name:literal $unit:literal $form:literal),+ $(,)?) => {
        /// What is measured; a column each, in this order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Measure { $($(#[$doc])* $measure),+ }

        impl Measure {
            /// Name, unit and form of each.
            pub const ALL: &'static [(&'static str, &'static str, &'static str)] = &[$(($name, $unit, $form)),+];
        }
    };
}

measures! {
    /// Process: time on a CPU, of one core.
    CpuPct = "cpu_pct" "percent" "rate",
    /// Process: of that, in kernel mode.
    CpuSystemPct = "cpu_system_pct" "percent" "rate",
    /// Process: time on a CPU of its children that have exited.
    ChildrenCpuPct = "children_cpu_pct" "percent" "rate",
    /// Process: memory in use.
    MemoryRss = "memory_rss" "B" "gauge",
    /// Process: growth of its private memory.
    MemoryGrowth = "memory_growth" "B/s" "rate",
    /// Process: threads.
    Threads = "threads" "count" "gauge",
    /// Process: open file descriptors.
    Fds = "fds" "count" "gauge",
    /// Process: open file descriptors, of those that it may have.
    FdsPct = "fds_pct" "percent" "gauge",
    /// Process: open sockets.
    Sockets = "sockets" "count" "gauge",
    /// Process: page faults that took no I/O.
    MinorFaults = "minor_faults" "1/s" "rate",
    /// Process: the same of its children that have exited: many, if they were many.
    ChildrenFaults = "children_faults" "1/s" "rate",
    /// Process: page faults that took I/O.
    MajorFaults = "major_faults" "1/s" "rate",
    /// Process: time its main thread waited for a CPU.
    RunDelayPct = "run_delay_pct" "percent" "rate",
    /// Process: time its main thread waited for block I/O.
    BlockDelayPct = "block_delay_pct" "percent" "rate",
    /// Process: turns of its main thread on a CPU.
    Switches = "switches" "1/s" "rate",
    /// Process: fetched from storage.
    ReadBytes = "read_bytes" "B/s" "rate",
    /// Process: sent to storage.
    WriteBytes = "write_bytes" "B/s" "rate",
    /// Process: written by calls, to whatever.
    Written = "written" "B/s" "rate",
    /// Process: calls that write, while none of them writes a byte.
    FailingWrites = "failing_writes" "1/s" "rate",
    /// Process: by how much the files have grown of late that it writes to, on filesystems that are nearly full, if it is one of those
    /// who have added most.
    Filled = "filled" "B" "gauge",
    /// Process: how soon the kernel would end it for want of memory, of 1,000.
    OomScore = "oom_score" "count" "gauge",
    /// Process: children.
    Children = "children" "count" "gauge",
    /// Process: of these, exited and not waited for.
    Zombies = "zombies" "count" "gauge",
    /// Process: new processes below it, each shown once it is older than a moment; CPU: processes and threads begun.
    Forks = "forks" "1/s" "rate",
    /// Process: state R.
    Running = "running" "flag" "flag",
    /// Process: state D.
    DiskWait = "disk_wait" "flag" "flag",
    /// Process: state T.
    Stopped = "stopped" "flag" "flag",
    /// Process: state t.
    Traced = "traced" "flag" "flag",
    /// Process: state Z.
    Zombie = "zombie" "flag" "flag",
    /// Process: how long its longest wait for a lock or a frozen filesystem has lasted.
    BlockedMs = "blocked_ms" "ms" "gauge",
    /// Process: how long a task of it has stayed in one write that nobody takes, to a pipe or socket.
    WriteWaitMs = "write_wait_ms" "ms" "gauge",
    /// Process: how long a task of it has stayed in one read, of a pipe or of a socket that it is the client of.
    ReadWaitMs = "read_wait_ms" "ms" "gauge",
    /// Process: how long a request that it sent has had no answer; over a Unix socket, has not even been read.
    AnswerWaitMs = "answer_wait_ms" "ms" "gauge",
    /// Process: how long it has owed an answer to a request that it received.
    OwingMs = "owing_ms" "ms" "gauge",
    /// Process: how long several threads of it have stayed at one futex while it owed an answer.
    FutexWaitMs = "futex_wait_ms" "ms" "gauge",
    /// Process: how long it has left what it received unread.
    UnreadMs = "unread_ms" "ms" "gauge",
    /// Process: the longest wait that others have because of it, for a lock or to be read from.
    BlocksMs = "blocks_ms" "ms" "gauge",
    /// Process: tasks that wait because of it.
    BlocksTasks = "blocks_tasks" "count" "gauge",
    /// File: processes that have it open.
    OpenBy = "open_by" "count" "gauge",
    /// File: tasks that wait for a lock on it.
    LockWaiters = "lock_waiters" "count" "gauge",
    /// File: the longest such wait.
    LockWaitMs = "lock_wait_ms" "ms" "gauge",
    /// Filesystem: used, of what is not kept for root.
    SpaceUsedPct = "space_used_pct" "percent" "gauge",
    /// Filesystem: inodes in use.
    InodesUsedPct = "inodes_used_pct" "percent" "gauge",
    /// Filesystem: what others than root can still have.
    SpaceFree = "space_free" "B" "gauge",
    /// Filesystem: it cannot be written to.
    ReadOnly = "read_only" "flag" "flag",
    /// Filesystem: who writes to it waits until it is thawed.
    WritesFrozen = "writes_frozen" "flag" "flag",
    /// Filesystem: tasks that wait for that.
    StuckWriters = "stuck_writers" "count" "gauge",
    /// Endpoint: connections; process: those that it is the client of.
    Connections = "connections" "count" "gauge",
    /// Endpoint: the longest smoothed round-trip time.
    RttMs = "rtt_ms" "ms" "gauge",
    /// Endpoint: received and not read yet.
    RecvQueue = "recv_queue" "B" "gauge",
    /// Endpoint: sent and not acknowledged yet.
    SendQueue = "send_queue" "B" "gauge",
    /// Endpoint: connections that are not accepted yet.
    AcceptQueue = "accept_queue" "count" "gauge",
    /// Endpoint: the same, of the longest queue that it allows.
    AcceptQueuePct = "accept_queue_pct" "percent" "gauge",
    /// Endpoint: segments sent again.
    Retransmits = "retransmits" "1/s" "rate",
    /// Control group: processes in it and in those inside it.
    Processes = "processes" "count" "gauge",
    /// Control group: time for which its tasks were stopped because its CPU quota was used up, on all CPUs together.
    ThrottledPct = "throttled_pct" "percent" "rate",
    /// Control group: of the quota's periods in which it ran, those in which it was stopped.
    ThrottledPeriodsPct = "throttled_periods_pct" "percent" "rate",
    /// Control group: time on a CPU, of its quota.
    CpuQuotaUsedPct = "cpu_quota_used_pct" "percent" "rate",
    /// Control group: memory in use, that of files included.
    GroupMemory = "group_memory" "B" "gauge",
    /// Control group: memory in use, of its limit.
    MemoryLimitUsedPct = "memory_limit_used_pct" "percent" "gauge",
    /// Control group: times that it stood at a memory limit and something of it had to go first.
    AtMemoryLimit = "at_memory_limit" "1/s" "rate",
    /// Control group: processes that were killed for want of memory.
    GroupOomKills = "group_oom_kills" "1/s" "rate",
    /// Control group: processes and threads, of its limit.
    PidsLimitUsedPct = "pids_limit_used_pct" "percent" "gauge",
    /// Control group: frozen.
    Frozen = "frozen" "flag" "flag",
    /// Control group: fetched from storage.
    GroupReadBytes = "group_read_bytes" "B/s" "rate",
    /// Control group: sent to storage.
    GroupWriteBytes = "group_write_bytes" "B/s" "rate",
    /// Control group: some task waits for a CPU.
    GroupPsiCpuSome = "group_psi_cpu_some" "percent" "gauge",
    /// Control group: all tasks wait for a CPU.
    GroupPsiCpuFull = "group_psi_cpu_full" "percent" "gauge",
    /// Control group: some task waits for memory.
    GroupPsiMemorySome = "group_psi_memory_some" "percent" "gauge",
    /// Control group: all tasks wait for memory.
    GroupPsiMemoryFull = "group_psi_memory_full" "percent" "gauge",
    /// Control group: some task waits for I/O.
    GroupPsiIoSome = "group_psi_io_some" "percent" "gauge",
    /// Control group: all tasks wait for I/O.
    GroupPsiIoFull = "group_psi_io_full" "percent" "gauge",
    /// CPU: of all cores.
    BusyPct = "busy_pct" "percent" "rate",
    /// Memory: what programs can still have.
    MemoryAvailable = "memory_available" "B" "gauge",
    /// CPU: some task waits for it.
    PsiCpuSome = "psi_cpu_some" "percent" "gauge",
    /// Memory: some task waits for it.
    PsiMemorySome = "psi_memory_some" "percent" "gauge",
    /// Memory: all tasks wait for it.
    PsiMemoryFull = "psi_memory_full" "percent" "gauge",
    /// I/O: some task waits for it.
    PsiIoSome = "psi_io_some" "percent" "gauge",
    /// I/O: all tasks wait for it.
    PsiIoFull = "psi_io_full" "percent" "gauge",
    /// CPU: tasks that run or could.
    TasksRunning = "tasks_running" "count" "gauge",
    /// CPU: tasks that wait for storage.
    TasksBlocked = "tasks_blocked" "count" "gauge",
    /// CPU: switches from one task to another.
    HostSwitches = "host_switches" "1/s" "rate",
    /// Memory: processes killed for want of it.
    HostOomKills = "host_oom_kills" "1/s" "rate",
    /// Memory: fetched from swap.
    SwappedIn = "swapped_in" "B/s" "rate",
    /// Memory: sent to swap.
    SwappedOut = "swapped_out" "B/s" "rate",
    /// Disk: time with requests under way.
    DiskBusyPct = "disk_busy_pct" "percent" "rate",
    /// Disk: what a request took, on average.
    RequestMs = "request_ms" "ms" "gauge",
    /// Disk: read from it.
    DiskRead = "disk_read" "B/s" "rate",
    /// Disk: written to it.
    DiskWritten = "disk_written" "B/s" "rate",
    /// Disk: requests under way.
    RequestsInFlight = "requests_in_flight" "count" "gauge",
    /// Network: TCP segments sent again.
    SegmentsResent = "segments_resent" "1/s" "rate",
    /// Network: acknowledgements that TCP waited for in vain.
    TcpTimeouts = "tcp_timeouts" "1/s" "rate",
    /// Network: connections that a listener did not take.
    ListenDrops = "listen_drops" "1/s" "rate",
    /// Network: of these, for its queue was full.
    ListenOverflows = "listen_overflows" "1/s" "rate",
    /// Network: connections begun without memory for them, as in a flood.
    SynCookies = "syn_cookies" "1/s" "rate",
    /// Network: tracked connections, of the most that there can be.
    ConntrackPct = "conntrack_pct" "percent" "gauge",
    /// Clock: by how much the time of day has moved other than time goes.
    ClockPartedMs = "clock_parted_ms" "ms" "gauge",
    /// Clock: since boot.
    UptimeMs = "uptime_ms" "ms" "gauge",
}

/// Why a value is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It takes more rights.
    Denied,
    /// It went while it was read.
    Gone,
    /// This kernel does not have it.
    Unsupported,
    /// It did not come in time.
    Late,
    /// It is switched off, here or in the kernel, or left out on purpose.
    Off,
    /// It takes two sweeps.
    FirstSweep,
}

impl Reason {
    /// The word that records carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Denied => "denied",
            Reason::Gone => "gone",
            Reason::Unsupported => "unsupported",
            Reason::Late => "late",
            Reason::Off => "off",
            Reason::FirstSweep => "first-sweep",
        }
    }
}

/// A value, or why there is none.
pub type Measured = Result<f64, Reason>;

/// The value of a read, with the reason that records carry where there is none.
pub trait IntoMeasured<T> {
    /// The value, or why there is none.
    fn measured(self) -> Result<T, Reason>;
}

impl<T> IntoMeasured<T> for Seen<T> {
    #[inline]
    fn measured(self) -> Result<T, Reason> {
        match self {
            Seen::Here(value) => Ok(value),
            Seen::Gone => Err(Reason::Gone),
            Seen::Denied => Err(Reason::Denied),
            Seen::Unsupported => Err(Reason::Unsupported),
            Seen::Late => Err(Reason::Late),
        }
    }
}
