//! Who has the memory.

use std::{fs, path::Path};

use anyhow::Context;

use super::{
    fault::{Family, Fault},
    group::Controller,
    need::Need,
    part::{self, BEGUN, Leak, Part},
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
        takes_path: false,
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
        takes_path: false,
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
        takes_path: false,
        play: out_of_memory,
    },
];

const LIMIT_BYTES: usize = 64_000_000;
/// Enough for requests to become slow before the worker is killed.
const LEAK_LIMIT_BYTES: usize = 200_000_000;

fn controller() -> anyhow::Result<Controller> {
    Controller::find("memory").context("no group may have a limit of memory")
}

/// Has nothing of a group with a limit go to the swap, which is the whole host's, where the kernel knows a limit of that.
fn keep_from_swap(group: &Path, is_unified: bool, limit: usize) -> anyhow::Result<()> {
    // In version 1 it is one of memory and swap together. It may not be less than that of memory, which is set already.
    let (file, most) = if is_unified { ("memory.swap.max", 0) } else { ("memory.memsw.limit_in_bytes", limit) };
    let file = group.join(file);
    let written = if file.exists() { fs::write(&file, most.to_string()) } else { Ok(()) };
    written.with_context(|| format!("cannot write `{most}` to `{}`", file.display()))
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
    keep_from_swap(&group, controller.is_unified(), LIMIT_BYTES)?;
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
    keep_from_swap(&group, controller.is_unified(), LEAK_LIMIT_BYTES)?;
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
    if stage.order_what_may_end(worker, "leak 100").is_ok() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_swap_is_left_to_others_where_it_can_be() {
        for (is_unified, name, expected) in
            [(true, "memory.swap.max", "0"), (false, "memory.memsw.limit_in_bytes", "64000000")]
        {
            let group = tempfile::tempdir().unwrap();
            keep_from_swap(group.path(), is_unified, LIMIT_BYTES).unwrap();
            let file = group.path().join(name);
            assert!(!file.exists(), "a kernel without swap has no such limit");
            fs::write(&file, "max").unwrap();
            keep_from_swap(group.path(), is_unified, LIMIT_BYTES).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        }
    }
}
