//! Faults of processes that do not respond.

use anyhow::Context;

use super::{
    cgroup::Controller,
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    injector::Injector,
    process_identity::{self, ProcessIdentity},
    requirement::Requirement,
    safety::ResourceUse,
};

/// The faults of this family.
pub const FAULTS: [Fault; 6] = [
    Fault {
        name: "stopped-worker",
        family: Family::Hung,
        description: "a web worker is stopped, as by SIGSTOP or a debugger",
        root_cause: "the web worker, or its endpoint",
        affected: "the front, which gets no responses",
        limits: "one process",
        undo: "the process is continued",
        requirements: &[Requirement::Role("worker")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| stop(injector, "worker"),
    },
    Fault {
        name: "stopped-database",
        family: Family::Hung,
        description: "all processes of the database are stopped",
        root_cause: "the database: any of its processes, or its endpoint",
        affected: "the web workers and the queue worker, which wait for responses",
        limits: "the processes of one PostgreSQL",
        undo: "the processes are continued",
        requirements: &[Requirement::Role("database")],
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
        requirements: &[Requirement::Role("cache")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| stop(injector, "cache"),
    },
    Fault {
        name: "stuck-thread",
        family: Family::Hung,
        description: "a thread of a web worker holds the lock that each request needs",
        root_cause: "the web worker, or its endpoint",
        affected: "the front, which gets no responses",
        limits: "one thread",
        undo: "the worker ends the bug when the control connection closes",
        requirements: &[Requirement::Bug("stuck")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("stuck"),
    },
    Fault {
        name: "hung-database",
        family: Family::Hung,
        description: "the database reads requests and sends no responses",
        root_cause: "the database, or its endpoint",
        affected: "the workers, which wait for responses",
        limits: "one lock of one process",
        undo: "the database continues when the control connection closes",
        requirements: &[Requirement::Bug("hang")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug("hang"),
    },
    Fault {
        name: "frozen-cgroup",
        family: Family::Hung,
        description: "the workers are in a control group that is frozen",
        root_cause: "the control group",
        affected: "the workers' clients, which get no responses",
        limits: "one control group with the workers",
        undo: "the group is thawed, the workers return to their own group, and the group is removed",
        requirements: &[Requirement::Role("worker"), Requirement::Root, Requirement::Controller("freezer")],
        uses: ResourceUse { memory_mb: 0, disk_mb: 0 },
        accepts_path: false,
        inject: freeze,
    },
];

/// Stops a component with this role, for which its clients wait.
fn stop(injector: &mut Injector, role: &str) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let component = workload.pick(role)?;
    injector.stop_process(component.pid)?;
    Ok(GroundTruth { root_cause: component.suspects(), affected: workload.suspects(&component.clients) })
}

/// Freezes the workers in a control group of their own.
fn freeze(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let controller = Controller::find("freezer").context("control groups cannot be frozen here")?;
    let group = injector.create_cgroup(&controller, &[])?;
    let workers = workload.with_role("worker");
    for worker in &workers {
        injector.move_to_cgroup(&controller, &group, worker.pid)?;
    }
    injector.freeze_cgroup(&group)?;
    let clients = workers.first().map_or(&[][..], |worker| &worker.clients);
    Ok(GroundTruth { root_cause: vec![Suspect::cgroup(&group)], affected: workload.suspects(clients) })
}

fn stop_database(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    // Stop the parent first, so that it starts no more processes.
    let mut truth = stop(injector, "database")?;
    let parent = truth.root_cause.first().and_then(|first| first.pid);
    for pid in parent.map(process_identity::children).unwrap_or_default() {
        // A process that was about to exit is gone.
        if injector.stop_process(pid).is_ok() && ProcessIdentity::read(pid).is_ok_and(ProcessIdentity::is_alive) {
            truth.root_cause.push(Suspect::process(pid));
        }
    }
    Ok(truth)
}
