//! Faults of processes, threads and descriptors.

use std::{
    fs::File,
    process::{Command, Stdio},
    thread::available_parallelism,
    time::Duration,
};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    helper::{self, Helper, Leak},
    injector::Injector,
    requirement::Requirement,
    safety::ResourceUse,
};

/// The faults of this family.
pub const FAULTS: [Fault; 5] = [
    Fault {
        name: "fork-storm",
        family: Family::Process,
        description: "an unrelated process starts short scripts as fast as possible",
        root_cause: "the `cron-runner`",
        affected: "the workload's workers; without a workload, helpers `worker`",
        limits: "16 concurrent scripts per core, at most 256",
        undo: "the process is killed, and the last scripts end by themselves",
        requirements: &[Requirement::Tool("setsid")],
        uses: ResourceUse { memory_mb: 64, disk_mb: 0 },
        accepts_path: false,
        inject: fork_storm,
    },
    Fault {
        name: "thread-explosion",
        family: Family::Process,
        description: "a service leaks threads",
        root_cause: "the worker, or its endpoint; without a workload, a `session-server`",
        affected: "the front, which gets late responses",
        limits: "400 threads",
        undo: "the worker ends the bug when the control connection closes, or the helper is killed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 128, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug_or_leak("threads 100", Leak::Threads),
    },
    Fault {
        name: "fd-leak",
        family: Family::Process,
        description: "a service leaks file descriptors up to its limit",
        root_cause: "the worker, or its endpoint; without a workload, a `session-server`",
        affected: "the front, whose connections the worker cannot accept",
        limits: "512 descriptors",
        undo: "the worker ends the bug when the control connection closes, or the helper is killed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 16, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug_or_leak("files 100", Leak::Files),
    },
    Fault {
        name: "crash-loop",
        family: Family::Process,
        description: "a web worker crashes, and again after each restart",
        root_cause: "the web worker, or its endpoint",
        affected: "the front, whose requests fail",
        limits: "one process at a time",
        undo: "the supervisor restarts the worker once more when the control connection closes",
        requirements: &[Requirement::Bug("crash")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: crash_loop,
    },
    Fault {
        name: "zombies",
        family: Family::Process,
        description: "a service starts short commands and does not wait for them, so that they stay zombies",
        root_cause: "the service",
        affected: "the host, which runs out of process ids",
        limits: "1,000 zombies",
        undo: "the service waits for its commands when the control connection closes",
        requirements: &[Requirement::Bug("zombies")],
        uses: ResourceUse { memory_mb: 16, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("zombies"),
    },
];

/// Helpers that are affected if no workload runs.
const WORKERS: usize = 2;
const MAX_RUNNER_THREADS: usize = 16;

fn crash_loop(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let worker = workload.pick_for("crash")?;
    // Before the crash, after which the process cannot be read.
    let mut root_cause = worker.suspects();
    root_cause.push(worker.suspect().with_any_pid());
    injector.start_bug_that_may_end(worker, "crash")?;
    Ok(GroundTruth { root_cause, affected: workload.suspects(&worker.clients) })
}

fn fork_storm(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    let affected = injector.workers_or(&Helper::Worker, WORKERS)?;
    let runner = injector.start(&Helper::CronRunner)?;
    Ok(GroundTruth { root_cause: vec![Suspect::process(runner)], affected })
}

/// Helper `cron-runner`: starts short scripts and waits for them, on one thread per core.
///
/// # Errors
/// If no script can be started.
pub fn run_scripts() -> anyhow::Result<()> {
    helper::report_ready()?;
    let threads = available_parallelism().map_or(1, usize::from).min(MAX_RUNNER_THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run_batches)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn run_batches() -> anyhow::Result<()> {
    const BATCH_SIZE: usize = 16;
    // Some milliseconds of work, so that it ends by itself if its parent is killed.
    const SCRIPT: &str = "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done";
    // Each in a session of its own, like cron's jobs: a scheduler that shares the CPUs among
    // sessions (autogroup) gives each a share.
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", SCRIPT]).stdin(Stdio::null());
    let mut start = |_| command.spawn().context("cannot run `setsid`");
    loop {
        let batch = (0..BATCH_SIZE).map(&mut start).collect::<anyhow::Result<Vec<_>>>()?;
        for mut script in batch {
            script.wait().context("cannot wait for a script")?;
        }
    }
}

/// Helper `session-server`: leaks a resource, twenty times a second, up to a limit.
///
/// # Errors
/// If the injecting process is gone.
pub fn leak(what: Leak) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    const MAX_FILES: u64 = 512;
    const MAX_THREADS: usize = 400;
    const MAX_BLOCKS: usize = 256;
    let limit = Rlimit { current: Some(MAX_FILES), maximum: Some(MAX_FILES) };
    setrlimit(Resource::Nofile, limit).context("cannot limit the file descriptors of this process")?;
    helper::report_ready()?;
    let mut files = Vec::new();
    let mut blocks = Vec::new();
    for threads in 0.. {
        match what {
            Leak::Files => files.extend((0..5).map_while(|_| File::open("/proc/self/exe").ok())),
            Leak::Threads if threads < MAX_THREADS => drop(std::thread::Builder::new().spawn(|| helper::hang())),
            Leak::Memory if blocks.len() < MAX_BLOCKS => blocks.push(vec![1_u8; 1 << 20]),
            Leak::Threads | Leak::Memory => {}
        }
        helper::pause(PAUSE);
    }
    Ok(())
}
