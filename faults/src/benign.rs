//! Benign changes, as a healthy shop goes through. They must not open an incident.

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
    inject: fn(&mut Injector) -> anyhow::Result<GroundTruth>,
) -> Fault {
    Fault {
        name,
        family: Family::Benign,
        description,
        root_cause: "",
        affected: "",
        limits,
        undo: "the shop undoes the change when the control connection closes",
        requirements: &[Requirement::Shop],
        uses: ResourceUse { memory_mb: 128, disk_mb: 128 },
        accepts_path: false,
        inject,
    }
}

/// The benign changes.
pub const FAULTS: [Fault; 7] = [
    change("deploy", "the web workers are restarted one by one with a new release", "one release", |injector| {
        change_shop(injector, "supervisor", "deploy")
    }),
    change("cron", "short jobs run one after the other", "one job at a time", |injector| {
        change_shop(injector, "supervisor", "cron")
    }),
    change("rotate-logs", "logs are rotated correctly", "the shop's logs", |injector| {
        change_shop(injector, "supervisor", "rotate")
    }),
    change("double-load", "the rate of requests doubles", "twice the requests", |injector| {
        change_shop(injector, "traffic", "load 2")
    }),
    change("backup", "the database is dumped at low priority", "one dump", |injector| {
        change_shop(injector, "supervisor", "backup")
    }),
    change("new-daemon", "a new, harmless daemon runs", "one process", |injector| {
        change_shop(injector, "supervisor", "daemon")
    }),
    change("scale-out", "two more web workers run for a while", "two processes", |injector| {
        change_shop(injector, "supervisor", "scale 2")
    }),
];

/// Makes a change through a control socket of the shop, as the shop's own commands do. The change
/// may be complete before its duration is over.
fn change_shop(injector: &mut Injector, role: &str, change: &str) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let shop = injector.current_shop()?;
    injector.start_bug_that_may_end(shop.pick(role)?, change)?;
    Ok(GroundTruth::default())
}
