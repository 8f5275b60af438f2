//! Who has the processors.

use std::{hint::black_box, thread::available_parallelism, time::Duration};

use super::{
    fault::{Family, Fault},
    group::Controller,
    need::Need,
    part::{self, BEGUN, Part},
    safety::Takes,
    stage::Stage,
    truth::{Deed, Suspect},
};

/// The faults of this family.
pub const FAULTS: [Fault; 3] = [
    Fault {
        name: "cpu-hog",
        family: Family::Cpu,
        does: "foreign processes compute without end, as many as there are cores",
        blame: "each `indexer`",
        suffers: "the shop's web workers; without the shop, workers of the fault's own",
        bounds: "one process of four threads for each core, and 16 processes",
        undone: "its processes end",
        needs: &[],
        takes: Takes { memory: 64, disk: 0 },
        takes_path: false,
        play: hog,
    },
    Fault {
        name: "runaway-loop",
        family: Family::Cpu,
        does: "a thread of a web worker computes without end",
        blame: "the web worker, or its endpoint",
        suffers: "the front, whose requests it answers late",
        bounds: "one thread",
        undone: "the worker sees that nobody orders it any more",
        needs: &[Need::Shop],
        takes: Takes { memory: 0, disk: 0 },
        takes_path: false,
        play: |stage| stage.bug_of_web("loop"),
    },
    Fault {
        name: "cpu-throttle",
        family: Family::Cpu,
        does: "the web workers get a control group whose CPU quota is far less than they need",
        blame: "the control group",
        suffers: "the web workers in it",
        bounds: "one control group, with three hundredths of one CPU",
        undone: "they return to their own group, and the group is removed",
        needs: &[Need::Shop, Need::Root, Need::Controller("cpu")],
        takes: Takes { memory: 0, disk: 0 },
        takes_path: false,
        play: throttle,
    },
];

const OWN_VICTIMS: usize = 2;
const MOST_HOGS: usize = 16;

fn hog(stage: &mut Stage) -> anyhow::Result<Deed> {
    let victims = stage.web_or(&Part::Worker, OWN_VICTIMS)?;
    let cores = available_parallelism().map_or(1, usize::from);
    let hogs = (0..cores.min(MOST_HOGS)).map(|_| Ok(Suspect::process(stage.start(&Part::Indexer)?)));
    let hogs = hogs.collect::<anyhow::Result<Vec<Suspect>>>()?;
    Ok(Deed::of(hogs, victims))
}

fn throttle(stage: &mut Stage) -> anyhow::Result<Deed> {
    const PERIOD_US: u32 = 100_000;
    const QUOTA_US: u32 = 3_000;
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let controller = Controller::find("cpu").ok_or_else(|| anyhow::anyhow!("no group may have a CPU quota"))?;
    let settings = if controller.is_unified() {
        vec![("cpu.max", format!("{QUOTA_US} {PERIOD_US}"))]
    } else {
        vec![("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", QUOTA_US.to_string())]
    };
    let group = stage.group(&controller, &settings)?;
    for part in shop.all("web") {
        stage.confine(&controller, &group, part.pid)?;
    }
    Ok(Deed::of(vec![Suspect::group(&group)], shop.all("web").into_iter().map(Suspect::part).collect()))
}

/// Computes a little, a hundred times a second.
///
/// # Errors
/// If nobody hears it.
pub fn work() -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(8);
    part::tell(BEGUN)?;
    loop {
        black_box((0..100_000_u64).fold(0, |sum: u64, n| sum.wrapping_mul(31).wrapping_add(n)));
        part::pause(PAUSE);
    }
}

/// Computes without end, on several threads: with one for each core the scheduler would hardly let anybody wait.
///
/// # Errors
/// If nobody hears it.
pub fn index() -> anyhow::Result<()> {
    const THREADS: usize = 4;
    for _ in 1..THREADS {
        std::thread::spawn(compute);
    }
    part::tell(BEGUN)?;
    compute()
}

fn compute() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}
