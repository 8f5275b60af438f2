//! Who has the memory.

use std::path::Path;

use anyhow::Context;

use super::{
    catalogue::{Family, Fault},
    group::Controller,
    need::Need,
    part::{self, BEGUN, Part},
    process::Leak,
    safety::Takes,
    shop::Shop,
    stage::Stage,
    truth::{Deed, Suspect},
    undo,
};

/// The faults of this family.
pub const FAULTS: [Fault; 3] = [
    Fault {
        name: "memory-leak",
        family: Family::Memory,
        does: "a service takes more memory and gives none back",
        blame: "the web worker, or its endpoint; without the shop, a `session-server`",
        suffers: "the front, whose requests it answers ever later",
        bounds: "512 MB",
        undone: "the worker sees that nobody orders it any more, or the process ends",
        needs: &[],
        takes: Takes { memory: 600, disk: 0 },
        play: |stage| stage.bug_or_server("leak 30", Leak::Memory),
    },
    Fault {
        name: "memory-hog",
        family: Family::Memory,
        does: "a foreign process takes all the memory of a control group that it shares with a web worker",
        blame: "the `importer`, or the control group",
        suffers: "the web worker, which waits for each page that it needs, and may give up afterwards",
        bounds: "a control group with 64 MB, so that the host has enough",
        undone: "its process ends, the worker returns to its own group, and the group is removed",
        needs: &[Need::Shop, Need::Root, Need::Controller("memory")],
        takes: Takes { memory: 128, disk: 0 },
        play: hog,
    },
    Fault {
        name: "cgroup-oom",
        family: Family::Memory,
        does: "a web worker leaks until its control group is at its limit and the kernel kills it, again and again",
        blame: "the web worker, its endpoint, or the control group",
        suffers: "the front, whose requests it breaks off",
        bounds: "a control group with 200 MB",
        undone: "the worker returns to its own group, and the group is removed",
        needs: &[Need::Shop, Need::Root, Need::Controller("memory")],
        takes: Takes { memory: 256, disk: 0 },
        play: out_of_memory,
    },
];

const LIMIT_BYTES: usize = 64_000_000;
/// Enough for requests to become slow before the worker is killed.
const LEAK_LIMIT_BYTES: usize = 200_000_000;

fn controller() -> anyhow::Result<Controller> {
    Controller::find("memory").context("no group may have a limit of memory")
}

fn hog(stage: &mut Stage) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let worker = shop.one("web")?;
    let controller = controller()?;
    // At the limit whoever wants a page is to wait, and nobody to be killed.
    let settings = if controller.is_unified() {
        vec![("memory.high", LIMIT_BYTES.to_string())]
    } else {
        vec![("memory.limit_in_bytes", LIMIT_BYTES.to_string()), ("memory.oom_control", "1".to_owned())]
    };
    let group = stage.group(&controller, &settings)?;
    stage.confine(&controller, &group, worker.pid)?;
    let importer = stage.start(&Part::Importer(group.clone()))?;
    Ok(Deed::of(vec![Suspect::process(importer), Suspect::group(&group)], Suspect::part_and_endpoint(worker)))
}

fn out_of_memory(stage: &mut Stage) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let worker = shop.one("web")?;
    let (name, mut culprits) = (worker.name.clone(), Suspect::part_and_endpoint(worker));
    culprits.push(Suspect::part(worker).whichever());
    let controller = controller()?;
    let limit = if controller.is_unified() { "memory.max" } else { "memory.limit_in_bytes" };
    let group = stage.group(&controller, &[(limit, LEAK_LIMIT_BYTES.to_string())])?;
    culprits.push(Suspect::group(&group));
    let mut confined = None;
    confine_and_leak(stage, &controller, &group, &name, &mut confined)?;
    // Whoever takes the place of the one that was killed has the same bug.
    stage.again(move |stage| confine_and_leak(stage, &controller, &group, &name, &mut confined));
    Ok(Deed::of(culprits, shop.suspects(&["front"])))
}

fn confine_and_leak(
    stage: &mut Stage,
    controller: &Controller,
    group: &Path,
    name: &str,
    confined: &mut Option<u32>,
) -> anyhow::Result<()> {
    let shop = Shop::find()?;
    let worker = shop.iter().flat_map(|shop| &shop.parts).find(|part| part.name == name);
    // None for as long as nobody has taken its place.
    let Some(worker) = worker.filter(|worker| *confined != Some(worker.pid)) else { return Ok(()) };
    // One that does not listen yet is asked again.
    if stage.order(worker, "leak 100").is_ok() {
        stage.confine(controller, group, worker.pid)?;
        *confined = Some(worker.pid);
    }
    Ok(())
}

/// Joins a control group and takes memory in it until there is no more.
///
/// # Errors
/// If it may not join.
pub fn import(group: &Path) -> anyhow::Result<()> {
    const BLOCK: usize = 1 << 18;
    undo::move_to(group, std::process::id())?;
    part::tell(BEGUN)?;
    // A group that only slows its members down lets them go beyond its limit.
    let taken: Vec<Vec<u8>> = (0..LIMIT_BYTES * 3 / 2 / BLOCK).map(|_| vec![1; BLOCK]).collect();
    std::hint::black_box(taken);
    part::hang()
}
