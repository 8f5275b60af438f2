//! What a healthy shop goes through, and what must raise nothing.

use super::{
    fault::{Family, Fault},
    need::Need,
    safety::Takes,
    stage::Stage,
    truth::Deed,
};

const fn change(
    name: &'static str,
    does: &'static str,
    bounds: &'static str,
    play: fn(&mut Stage) -> anyhow::Result<Deed>,
) -> Fault {
    Fault {
        name,
        family: Family::Benign,
        does,
        blame: "",
        suffers: "",
        bounds,
        undone: "the shop sees that nobody orders it any more",
        needs: &[Need::Shop],
        takes: Takes { memory: 128, disk: 128 },
        takes_path: false,
        play,
    }
}

/// The faults of this family, none of which is one.
pub const FAULTS: [Fault; 7] = [
    change("deploy", "the web workers are restarted one by one, with a new release", "one release", |stage| {
        change_shop(stage, "supervisor", "deploy")
    }),
    change("cron", "short jobs run, one after the other", "one job at a time", |stage| {
        change_shop(stage, "supervisor", "cron")
    }),
    change("rotate-logs", "logs are rotated as they should be", "the shop's logs", |stage| {
        change_shop(stage, "supervisor", "rotate")
    }),
    change("double-load", "twice as many want to buy", "twice the requests", |stage| {
        change_shop(stage, "traffic", "load 2")
    }),
    change("backup", "the database is dumped at low priority", "one dump", |stage| {
        change_shop(stage, "supervisor", "backup")
    }),
    change("new-daemon", "a daemon runs that was not there before, and does no harm", "one process", |stage| {
        change_shop(stage, "supervisor", "daemon")
    }),
    change("scale-out", "there are two more web workers for a while", "two processes", |stage| {
        change_shop(stage, "supervisor", "scale 2")
    }),
];

/// Has a part of the shop make a change, as its own commands do. One that is over sooner than the fault is a change all the same.
fn change_shop(stage: &mut Stage, role: &str, change: &str) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    stage.order_what_may_end(shop.one(role)?, change)?;
    Ok(Deed::default())
}
