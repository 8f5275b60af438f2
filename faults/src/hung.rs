//! Who does nothing any more.

use super::{
    fault::{Family, Fault},
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
        takes_path: false,
        play: |stage| stop(stage, "web", &["front"]),
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
        takes_path: false,
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
        takes_path: false,
        play: |stage| stop(stage, "cache", &["web", "queue"]),
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
        takes_path: false,
        play: |stage| stage.bug_of_web("stuck"),
    },
];

/// Has a part of this role stand still, for which those of the others wait.
fn stop(stage: &mut Stage, role: &str, waiting: &[&str]) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let part = shop.one(role)?;
    stage.stop(part.pid)?;
    Ok(Deed::of(Suspect::part_and_endpoint(part), shop.suspects(waiting)))
}

fn stop_database(stage: &mut Stage) -> anyhow::Result<Deed> {
    // First the one that starts the others: then there will be no more.
    let mut deed = stop(stage, "database", &["web", "queue"])?;
    for pid in deed.root_cause.first().and_then(|first| first.pid).map(who::children).unwrap_or_default() {
        // One that was about to end has ended.
        if stage.stop(pid).is_ok() && Who::of(pid).is_ok_and(Who::is_alive) {
            deed.root_cause.push(Suspect::process(pid));
        }
    }
    Ok(deed)
}
