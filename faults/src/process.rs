//! How many there are of something, and whether they last.

use std::{
    fs::File,
    process::{Command, Stdio},
    thread::available_parallelism,
    time::Duration,
};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{
    fault::{Family, Fault},
    need::Need,
    part::{self, BEGUN, Leak, Part},
    safety::Takes,
    stage::Stage,
    truth::{Deed, Suspect},
};

/// The faults of this family.
pub const FAULTS: [Fault; 4] = [
    Fault {
        name: "fork-storm",
        family: Family::Process,
        does: "a foreign process starts short scripts as fast as it may",
        blame: "the `cron-runner`",
        suffers: "the shop's web workers; without the shop, workers of the fault's own",
        bounds: "16 scripts at a time for each core, and 256",
        undone: "its process ends, and the last scripts by themselves",
        needs: &[Need::Tool("setsid")],
        takes: Takes { memory: 64, disk: 0 },
        takes_path: false,
        play: storm,
    },
    Fault {
        name: "thread-explosion",
        family: Family::Process,
        does: "a service starts threads and ends none",
        blame: "the web worker, or its endpoint; without the shop, a `session-server`",
        suffers: "the front, whose requests it answers late",
        bounds: "400 threads",
        undone: "the worker sees that nobody orders it any more, or the process ends",
        needs: &[],
        takes: Takes { memory: 128, disk: 0 },
        takes_path: false,
        play: |stage| stage.bug_or_server("threads 100", Leak::Threads),
    },
    Fault {
        name: "fd-leak",
        family: Family::Process,
        does: "a service opens files and closes none, until it may open no more",
        blame: "the web worker, or its endpoint; without the shop, a `session-server`",
        suffers: "the front, whose requests it cannot take any more",
        bounds: "512 descriptors",
        undone: "the worker sees that nobody orders it any more, or the process ends",
        needs: &[],
        takes: Takes { memory: 16, disk: 0 },
        takes_path: false,
        play: |stage| stage.bug_or_server("files 100", Leak::Files),
    },
    Fault {
        name: "crash-loop",
        family: Family::Process,
        does: "a web worker crashes, and again after each restart",
        blame: "the web worker, or its endpoint",
        suffers: "the front, whose requests it breaks off",
        bounds: "one process at a time",
        undone: "the supervisor sees that nobody orders it any more, and restarts it once more",
        needs: &[Need::Shop],
        takes: Takes { memory: 0, disk: 0 },
        takes_path: false,
        play: crash_again,
    },
];

const OWN_VICTIMS: usize = 2;
const MOST_RUNNERS: usize = 16;

fn crash_again(stage: &mut Stage) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let worker = shop.one("web")?;
    // Taken down before: a crash leaves nothing to look at.
    let mut culprits = Suspect::part_and_endpoint(worker);
    culprits.push(Suspect::part(worker).whichever());
    stage.order_what_may_end(worker, "crash")?;
    Ok(Deed::of(culprits, shop.suspects(&["front"])))
}

fn storm(stage: &mut Stage) -> anyhow::Result<Deed> {
    let victims = stage.web_or(&Part::Worker, OWN_VICTIMS)?;
    let runner = stage.start(&Part::CronRunner)?;
    Ok(Deed::of(vec![Suspect::process(runner)], victims))
}

/// Starts short scripts and waits for them, on as many threads as there are cores.
///
/// # Errors
/// If no script can be started.
pub fn run_commands() -> anyhow::Result<()> {
    part::tell(BEGUN)?;
    let threads = available_parallelism().map_or(1, usize::from).min(MOST_RUNNERS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run_scripts)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn run_scripts() -> anyhow::Result<()> {
    const AT_A_TIME: usize = 16;
    // Some milliseconds of work: should its parent be killed, it ends by itself.
    const SCRIPT: &str = "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done";
    // Each in a session of its own, as jobs of cron are: a scheduler that shares the processors among sessions gives each a share.
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", SCRIPT]).stdin(Stdio::null());
    let mut start = |_| command.spawn().context("cannot run `setsid`");
    loop {
        let running = (0..AT_A_TIME).map(&mut start).collect::<anyhow::Result<Vec<_>>>()?;
        for mut script in running {
            script.wait().context("cannot wait for a script")?;
        }
    }
}

/// Takes more of something, twenty times a second, up to a limit, and gives nothing back.
///
/// # Errors
/// If nobody hears it.
pub fn leak(what: Leak) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    const MOST_FILES: u64 = 512;
    const MOST_THREADS: usize = 400;
    const MOST_BLOCKS: usize = 256;
    let limit = Rlimit { current: Some(MOST_FILES), maximum: Some(MOST_FILES) };
    setrlimit(Resource::Nofile, limit).context("cannot limit the descriptors of this process")?;
    part::tell(BEGUN)?;
    let (mut files, mut blocks) = (Vec::new(), Vec::new());
    for threads in 0.. {
        match what {
            Leak::Files => files.extend((0..5).map_while(|_| File::open("/proc/self/exe").ok())),
            Leak::Threads if threads < MOST_THREADS => drop(std::thread::Builder::new().spawn(|| part::hang())),
            Leak::Memory if blocks.len() < MOST_BLOCKS => blocks.push(vec![1_u8; 1 << 20]),
            Leak::Threads | Leak::Memory => {}
        }
        part::pause(PAUSE);
    }
    Ok(())
}
