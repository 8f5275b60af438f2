//! Memory faults.

use std::{fs, path::Path};

use anyhow::Context;

use super::{
    cgroup::Controller,
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    helper::{self, Helper, Leak},
    injector::Injector,
    requirement::Requirement,
    safety::ResourceUse,
    undo,
    user::User,
};

/// The faults of this family.
pub const FAULTS: [Fault; 3] = [
    Fault {
        name: "memory-leak",
        family: Family::Memory,
        description: "a service leaks memory",
        root_cause: "the worker, or its endpoint; without a workload, a `session-server`",
        affected: "the front, which gets ever later responses",
        limits: "512 MB",
        undo: "the worker ends the bug when the control connection closes, or the helper is killed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 600, disk_mb: 0 },
        accepts_path: false,
        inject: |injector| injector.inject_bug_or_leak("leak 30", Leak::Memory),
    },
    Fault {
        name: "memory-hog",
        family: Family::Memory,
        description: "an unrelated process uses all memory of a control group that it shares with a web worker",
        root_cause: "the `importer`, or the control group",
        affected: "the web worker, which waits for each page that it needs, and may fail afterwards",
        limits: "a control group with 64 MB, so that the host keeps enough",
        undo: "the process is killed, the worker returns to its own group, and the group is removed",
        requirements: &[Requirement::Role("worker"), Requirement::Root, Requirement::Controller("memory")],
        uses: ResourceUse { memory_mb: 128, disk_mb: 0 },
        accepts_path: false,
        inject: hog,
    },
    Fault {
        name: "cgroup-oom",
        family: Family::Memory,
        description: "a web worker leaks memory until the kernel kills it at its control group's limit, repeatedly",
        root_cause: "the web worker, its endpoint, or the control group",
        affected: "the front, whose requests fail",
        limits: "a control group with 200 MB",
        undo: "the worker returns to its own group, and the group is removed",
        requirements: &[Requirement::Bug("leak"), Requirement::Root, Requirement::Controller("memory")],
        uses: ResourceUse { memory_mb: 256, disk_mb: 0 },
        accepts_path: false,
        inject: out_of_memory,
    },
];

const LIMIT_BYTES: usize = 64_000_000;
/// Enough for requests to become slow before the worker is killed.
const LEAK_LIMIT_BYTES: usize = 200_000_000;

fn memory_controller() -> anyhow::Result<Controller> {
    Controller::find("memory").context("control groups cannot have a memory limit here")
}

/// Keeps a group with a memory limit from using swap, which belongs to the whole host. Does nothing
/// if the kernel has no limit for swap.
fn disable_swap(group: &Path, is_unified: bool, memory_limit: usize) -> anyhow::Result<()> {
    // In version 1, the limit is that of memory and swap together. It must not be below the limit
    // of memory, which is set already.
    let (file, limit) = if is_unified { ("memory.swap.max", 0) } else { ("memory.memsw.limit_in_bytes", memory_limit) };
    let file = group.join(file);
    let written = if file.exists() { fs::write(&file, limit.to_string()) } else { Ok(()) };
    written.with_context(|| format!("cannot write `{limit}` to `{}`", file.display()))
}

fn hog(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let worker = workload.pick("worker")?;
    let controller = memory_controller()?;
    // At the limit, processes must wait for pages and not be killed.
    let settings = if controller.is_unified() {
        vec![("memory.high", LIMIT_BYTES.to_string())]
    } else {
        vec![("memory.limit_in_bytes", LIMIT_BYTES.to_string()), ("memory.oom_control", "1".to_owned())]
    };
    let group = injector.create_cgroup(&controller, &settings)?;
    disable_swap(&group, controller.is_unified(), LIMIT_BYTES)?;
    injector.move_to_cgroup(&controller, &group, worker.pid)?;
    // It must be able to join the group.
    let importer = injector.start_as(User::Current, &Helper::Importer(group.clone()))?;
    let root_cause = vec![Suspect::process(importer), Suspect::cgroup(&group)];
    Ok(GroundTruth { root_cause, affected: worker.suspects() })
}

fn out_of_memory(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let worker = workload.pick_for("leak")?;
    let name = worker.name.clone();
    let mut root_cause = worker.suspects();
    root_cause.push(worker.suspect().with_any_pid());
    let controller = memory_controller()?;
    let limit = if controller.is_unified() { "memory.max" } else { "memory.limit_in_bytes" };
    let group = injector.create_cgroup(&controller, &[(limit, LEAK_LIMIT_BYTES.to_string())])?;
    disable_swap(&group, controller.is_unified(), LEAK_LIMIT_BYTES)?;
    root_cause.push(Suspect::cgroup(&group));
    let mut leaking = None;
    confine_and_leak(injector, &controller, &group, &name, &mut leaking)?;
    // The worker that replaces a killed one gets the same bug.
    injector.repeat_each_second(move |injector| confine_and_leak(injector, &controller, &group, &name, &mut leaking));
    Ok(GroundTruth { root_cause, affected: workload.suspects(&worker.clients) })
}

/// Makes the component with this name leak in the group, unless the process `leaking` already does.
fn confine_and_leak(
    injector: &mut Injector,
    controller: &Controller,
    group: &Path,
    name: &str,
    leaking: &mut Option<u32>,
) -> anyhow::Result<()> {
    let workload = injector.current_workload()?;
    let worker = workload.components.iter().find(|component| component.name == name);
    // There is none until the supervisor has restarted it.
    let Some(worker) = worker.filter(|worker| *leaking != Some(worker.pid)) else { return Ok(()) };
    // A worker that does not listen yet gets the bug a second later.
    if injector.start_bug_that_may_end(worker, "leak 100").is_ok() {
        injector.move_to_cgroup(controller, group, worker.pid)?;
        *leaking = Some(worker.pid);
    }
    Ok(())
}

/// Helper `importer`: joins a control group and allocates all its memory.
///
/// # Errors
/// If it cannot join the group.
pub fn exhaust_cgroup(group: &Path) -> anyhow::Result<()> {
    const BLOCK_BYTES: usize = 1 << 18;
    undo::move_to_cgroup(group, std::process::id())?;
    helper::report_ready()?;
    // `memory.high` only throttles, so members can exceed it.
    let memory: Vec<Vec<u8>> = (0..LIMIT_BYTES * 3 / 2 / BLOCK_BYTES).map(|_| vec![1; BLOCK_BYTES]).collect();
    std::hint::black_box(memory);
    helper::hang()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_is_disabled_if_the_kernel_can_limit_it() {
        for (is_unified, name, expected) in
            [(true, "memory.swap.max", "0"), (false, "memory.memsw.limit_in_bytes", "64000000")]
        {
            let group = tempfile::tempdir().unwrap();
            disable_swap(group.path(), is_unified, LIMIT_BYTES).unwrap();
            let file = group.path().join(name);
            assert!(!file.exists(), "a kernel without swap has no such limit");
            fs::write(&file, "max").unwrap();
            disable_swap(group.path(), is_unified, LIMIT_BYTES).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        }
    }
}
