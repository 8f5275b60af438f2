//! Who does nothing any more.

use super::{
    catalogue::{Family, Fault},
    need::Need,
    safety::Takes,
    stage::Stage,
    truth::{Deed, Suspect},
    who::{self, Who},
};

/// The faults of this family.
pub const FAULTS: [Fault; 4] = [
    Fault {
        name: "stopped-worker",
        family: Family::Hung,
        does: "a web worker is stopped, as by SIGSTOP or a debugger",
        blame: "the web worker, or its endpoint",
        suffers: "the front, whose requests it does not answer",
        bounds: "one process",
        undone: "it goes on",
        needs: &[Need::Shop],
        takes: Takes { memory: 0, disk: 0 },
        play: stop_worker,
    },
    Fault {
        name: "stopped-database",
        family: Family::Hung,
        does: "all processes of the database are stopped",
        blame: "the database: any of its processes, or its endpoint",
        suffers: "the web workers and the queue worker, which wait for answers",
        bounds: "the processes of one PostgreSQL",
        undone: "they go on",
        needs: &[Need::Shop],
        takes: Takes { memory: 0, disk: 0 },
        play: stop_database,
    },
    Fault {
        name: "stopped-cache",
        family: Family::Hung,
        does: "the cache is stopped",
        blame: "the cache, or its endpoint",
        suffers: "the web workers and the queue worker, which wait for answers",
        bounds: "one process",
        undone: "it goes on",
        needs: &[Need::Shop],
        takes: Takes { memory: 0, disk: 0 },
        play: stop_cache,
    },
    Fault {
        name: "stuck-thread",
        family: Family::Hung,
        does: "a thread of a web worker keeps the lock that each request needs",
        blame: "the web worker, or its endpoint",
        suffers: "the front, whose requests it does not answer",
        bounds: "one thread",
        undone: "the worker sees that nobody orders it any more",
        needs: &[Need::Shop],
        takes: Takes { memory: 0, disk: 0 },
        play: |stage| stage.bug_of_web("stuck"),
    },
];

fn stop_worker(stage: &mut Stage) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let worker = shop.one("web")?;
    stage.stop(worker.pid)?;
    Ok(Deed::of(Suspect::part_and_endpoint(worker), shop.suspects(&["front"])))
}

fn stop_database(stage: &mut Stage) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let database = shop.one("database")?;
    // First the one that starts the others: then there will be no more.
    stage.stop(database.pid)?;
    let mut stopped = Suspect::part_and_endpoint(database);
    for pid in who::children(database.pid) {
        // One that was about to end has ended.
        if stage.stop(pid).is_ok() && Who::of(pid).is_ok_and(Who::is_alive) {
            stopped.push(Suspect::process(pid));
        }
    }
    Ok(Deed::of(stopped, shop.suspects(&["web", "queue"])))
}

fn stop_cache(stage: &mut Stage) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let cache = shop.one("cache")?;
    stage.stop(cache.pid)?;
    Ok(Deed::of(Suspect::part_and_endpoint(cache), shop.suspects(&["web", "queue"])))
}
