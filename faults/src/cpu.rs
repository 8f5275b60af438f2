//! CPU faults.

use std::{hint::black_box, path::PathBuf, thread::available_parallelism, time::Duration};

use super::{
    cgroup::Controller,
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    helper::{self, Helper},
    injector::Injector,
    requirement::Requirement,
    safety::ResourceUse,
    workload::Component,
};

/// The faults of this family.
pub const FAULTS: [Fault; 4] = [
    Fault {
        name: "cpu-hog",
        family: Family::Cpu,
        description: "unrelated processes compute continuously, one per core",
        root_cause: "each `indexer`",
        affected: "the workload's workers; without a workload, helpers `worker`",
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
        requirements: &[Requirement::Bug("loop")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("loop"),
    },
    Fault {
        name: "cpu-throttle",
        family: Family::Cpu,
        description: "the web workers are in a control group whose CPU quota is far too low",
        root_cause: "the control group",
        affected: "the web workers in it",
        limits: "one control group with 3 % of a CPU",
        undo: "the workers return to their own group, and the group is removed",
        requirements: &[Requirement::Role("worker"), Requirement::Root, Requirement::Controller("cpu")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: throttle,
    },
    Fault {
        name: "cpu-quota-hog",
        family: Family::Cpu,
        description: "an unrelated process uses up the CPU quota of a control group that it shares with the workers",
        root_cause: "the `indexer`, or the control group",
        affected: "the workers in it",
        limits: "one control group with 25 % of a CPU",
        undo: "the process is killed, the workers return to their own group, and the group is removed",
        requirements: &[Requirement::Role("worker"), Requirement::Root, Requirement::Controller("cpu")],
        uses: ResourceUse { memory_mb: 64, disk_mb: 0 },
        accepts_path: false,
        inject: exhaust_quota,
    },
];

/// Helpers that are affected if no workload runs.
const WORKERS: usize = 2;
const MAX_HOGS: usize = 16;

fn hog(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    let affected = injector.workers_or(&Helper::Worker, WORKERS)?;
    let cores = available_parallelism().map_or(1, usize::from);
    let hogs = (0..cores.min(MAX_HOGS)).map(|_| Ok(Suspect::process(injector.start(&Helper::Indexer)?)));
    let root_cause = hogs.collect::<anyhow::Result<Vec<Suspect>>>()?;
    Ok(GroundTruth { root_cause, affected })
}

fn throttle(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    const QUOTA_US: u32 = 3_000;
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let workers = workload.with_role("worker");
    let (_, group) = limit_cpu(injector, &workers, QUOTA_US)?;
    let affected = workers.into_iter().map(Component::suspect).collect();
    Ok(GroundTruth { root_cause: vec![Suspect::cgroup(&group)], affected })
}

fn exhaust_quota(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    // Several times what the workers need, and less than what a hog gets on a busy host.
    const QUOTA_US: u32 = 25_000;
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let workers = workload.with_role("worker");
    let (controller, group) = limit_cpu(injector, &workers, QUOTA_US)?;
    let hog = injector.start(&Helper::Indexer)?;
    injector.move_to_cgroup(&controller, &group, hog)?;
    let affected = workers.into_iter().map(Component::suspect).collect();
    Ok(GroundTruth { root_cause: vec![Suspect::process(hog), Suspect::cgroup(&group)], affected })
}

/// Moves components to a new control group with a CPU quota, in microseconds of each 100 ms.
fn limit_cpu(
    injector: &mut Injector,
    components: &[&Component],
    quota_us: u32,
) -> anyhow::Result<(Controller, PathBuf)> {
    const PERIOD_US: u32 = 100_000;
    let controller =
        Controller::find("cpu").ok_or_else(|| anyhow::anyhow!("control groups cannot have a CPU quota here"))?;
    let settings = if controller.is_unified() {
        vec![("cpu.max", format!("{quota_us} {PERIOD_US}"))]
    } else {
        vec![("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", quota_us.to_string())]
    };
    let group = injector.create_cgroup(&controller, &settings)?;
    for component in components {
        injector.move_to_cgroup(&controller, &group, component.pid)?;
    }
    Ok((controller, group))
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
