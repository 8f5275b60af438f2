//! CPU faults.

use std::{hint::black_box, thread::available_parallelism, time::Duration};

use super::{
    cgroup::Controller,
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    helper::{self, Helper},
    injector::Injector,
    requirement::Requirement,
    safety::ResourceUse,
    shop::Component,
};

/// The faults of this family.
pub const FAULTS: [Fault; 3] = [
    Fault {
        name: "cpu-hog",
        family: Family::Cpu,
        description: "unrelated processes compute continuously, one per core",
        root_cause: "each `indexer`",
        affected: "the shop's web workers; without the shop, helpers `worker`",
        limits: "one process with four threads per core, at most 16 processes",
        undo: "the processes are killed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 64, disk_mb: 0 },
        accepts_path: false,
        inject: hog,
    },
    Fault {
        name: "runaway-loop",
        family: Family::Cpu,
        description: "a thread of a web worker computes continuously",
        root_cause: "the web worker, or its endpoint",
        affected: "the front, which gets late responses",
        limits: "one thread",
        undo: "the worker ends the bug when the control connection closes",
        requirements: &[Requirement::Shop],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_web_bug("loop"),
    },
    Fault {
        name: "cpu-throttle",
        family: Family::Cpu,
        description: "the web workers are in a control group whose CPU quota is far too low",
        root_cause: "the control group",
        affected: "the web workers in it",
        limits: "one control group with 3 % of a CPU",
        undo: "the workers return to their own group, and the group is removed",
        requirements: &[Requirement::Shop, Requirement::Root, Requirement::Controller("cpu")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: throttle,
    },
];

/// Helpers that are affected if no shop runs.
const WORKERS: usize = 2;
const MAX_HOGS: usize = 16;

fn hog(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    let affected = injector.web_workers_or(&Helper::Worker, WORKERS)?;
    let cores = available_parallelism().map_or(1, usize::from);
    let hogs = (0..cores.min(MAX_HOGS)).map(|_| Ok(Suspect::process(injector.start(&Helper::Indexer)?)));
    let root_cause = hogs.collect::<anyhow::Result<Vec<Suspect>>>()?;
    Ok(GroundTruth { root_cause, affected })
}

fn throttle(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    const PERIOD_US: u32 = 100_000;
    const QUOTA_US: u32 = 3_000;
    injector.wait_before_fault()?;
    let shop = injector.current_shop()?;
    let controller =
        Controller::find("cpu").ok_or_else(|| anyhow::anyhow!("control groups cannot have a CPU quota here"))?;
    let settings = if controller.is_unified() {
        vec![("cpu.max", format!("{QUOTA_US} {PERIOD_US}"))]
    } else {
        vec![("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", QUOTA_US.to_string())]
    };
    let group = injector.create_cgroup(&controller, &settings)?;
    let workers = shop.with_role("web");
    for worker in &workers {
        injector.move_to_cgroup(&controller, &group, worker.pid)?;
    }
    let affected = workers.into_iter().map(Component::suspect).collect();
    Ok(GroundTruth { root_cause: vec![Suspect::cgroup(&group)], affected })
}

/// Helper `worker`: computes a little, a hundred times a second.
///
/// # Errors
/// If the injecting process is gone.
pub fn compute_periodically() -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(8);
    helper::report_ready()?;
    loop {
        black_box((0..100_000_u64).fold(0, |sum: u64, n| sum.wrapping_mul(31).wrapping_add(n)));
        helper::pause(PAUSE);
    }
}

/// Helper `indexer`: computes continuously on several threads. With one thread per core, the
/// scheduler would hardly make other processes wait.
///
/// # Errors
/// If the injecting process is gone.
pub fn compute_continuously() -> anyhow::Result<()> {
    const THREADS: usize = 4;
    for _ in 1..THREADS {
        std::thread::spawn(compute);
    }
    helper::report_ready()?;
    compute()
}

fn compute() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}
