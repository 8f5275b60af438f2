//! Benign changes, as a healthy workload goes through. They must not open an incident.

use super::{
    fault::{Family, Fault},
    ground_truth::GroundTruth,
    injector::Injector,
    requirement::Requirement,
    safety::ResourceUse,
};

const fn change(
    name: &'static str,
    description: &'static str,
    limits: &'static str,
    requirements: &'static [Requirement],
    inject: fn(&mut Injector) -> anyhow::Result<GroundTruth>,
) -> Fault {
    Fault {
        name,
        family: Family::Benign,
        description,
        root_cause: "",
        affected: "",
        limits,
        undo: "the workload undoes the change when the control connection closes",
        requirements,
        uses: ResourceUse { memory_mb: 128, disk_mb: 128 },
        accepts_path: false,
        inject,
    }
}

/// The benign changes.
pub const FAULTS: [Fault; 7] = [
    change(
        "deploy",
        "the web workers are restarted one by one with a new release",
        "one release",
        &[Requirement::Bug("deploy")],
        |injector| change_workload(injector, "deploy"),
    ),
    change(
        "cron",
        "short jobs run one after the other",
        "one job at a time",
        &[Requirement::Bug("cron")],
        |injector| change_workload(injector, "cron"),
    ),
    change("rotate-logs", "logs are rotated correctly", "the shop's logs", &[Requirement::Bug("rotate")], |injector| {
        change_workload(injector, "rotate")
    }),
    change(
        "double-load",
        "the rate of requests doubles",
        "twice the requests",
        &[Requirement::Bug("load")],
        |injector| change_workload(injector, "load 2"),
    ),
    change("backup", "the database is dumped at low priority", "one dump", &[Requirement::Bug("backup")], |injector| {
        change_workload(injector, "backup")
    }),
    change("new-daemon", "a new, harmless daemon runs", "one process", &[Requirement::Bug("daemon")], |injector| {
        change_workload(injector, "daemon")
    }),
    change(
        "scale-out",
        "two more web workers run for a while",
        "two processes",
        &[Requirement::Bug("scale")],
        |injector| change_workload(injector, "scale 2"),
    ),
];

/// Makes a change through a control socket of the workload, as its own commands do. The change may
/// be complete before its duration is over.
fn change_workload(injector: &mut Injector, change: &str) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    injector.start_bug_that_may_end(workload.pick_for(change)?, change)?;
    Ok(GroundTruth::default())
}
