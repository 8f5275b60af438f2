//! Faults of processes that do not respond.

use super::{
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    injector::Injector,
    process_identity::{self, ProcessIdentity},
    requirement::Requirement,
    safety::ResourceUse,
};

/// The faults of this family.
pub const FAULTS: [Fault; 4] = [
    Fault {
        name: "stopped-worker",
        family: Family::Hung,
        description: "a web worker is stopped, as by SIGSTOP or a debugger",
        root_cause: "the web worker, or its endpoint",
        affected: "the front, which gets no responses",
        limits: "one process",
        undo: "the process is continued",
        requirements: &[Requirement::Shop],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| stop(injector, "web", &["front"]),
    },
    Fault {
        name: "stopped-database",
        family: Family::Hung,
        description: "all processes of the database are stopped",
        root_cause: "the database: any of its processes, or its endpoint",
        affected: "the web workers and the queue worker, which wait for responses",
        limits: "the processes of one PostgreSQL",
        undo: "the processes are continued",
        requirements: &[Requirement::Shop],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: stop_database,
    },
    Fault {
        name: "stopped-cache",
        family: Family::Hung,
        description: "the cache is stopped",
        root_cause: "the cache, or its endpoint",
        affected: "the web workers and the queue worker, which wait for responses",
        limits: "one process",
        undo: "the process is continued",
        requirements: &[Requirement::Shop],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| stop(injector, "cache", &["web", "queue"]),
    },
    Fault {
        name: "stuck-thread",
        family: Family::Hung,
        description: "a thread of a web worker holds the lock that each request needs",
        root_cause: "the web worker, or its endpoint",
        affected: "the front, which gets no responses",
        limits: "one thread",
        undo: "the worker ends the bug when the control connection closes",
        requirements: &[Requirement::Shop],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_web_bug("stuck"),
    },
];

/// Stops a component with this role, for which the components with the affected roles wait.
fn stop(injector: &mut Injector, role: &str, affected_roles: &[&str]) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let shop = injector.current_shop()?;
    let component = shop.pick(role)?;
    injector.stop_process(component.pid)?;
    let root_cause = component.suspects();
    Ok(GroundTruth { root_cause, affected: shop.suspects(affected_roles) })
}

fn stop_database(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    // Stop the parent first, so that it starts no more processes.
    let mut truth = stop(injector, "database", &["web", "queue"])?;
    let parent = truth.root_cause.first().and_then(|first| first.pid);
    for pid in parent.map(process_identity::children).unwrap_or_default() {
        // A process that was about to exit is gone.
        if injector.stop_process(pid).is_ok() && ProcessIdentity::read(pid).is_ok_and(ProcessIdentity::is_alive) {
            truth.root_cause.push(Suspect::process(pid));
        }
    }
    Ok(truth)
}
