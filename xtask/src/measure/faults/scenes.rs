//! The faults, each with who is truly to blame.

use std::{path::PathBuf, thread::available_parallelism};

use anyhow::Context;
use rustix::process::Signal;

use super::{
    LASTS,
    ground::{is_root, lose, lose_no_more},
    undo::{Undo, shell},
    workload::{Workload, signal},
};
use crate::scoped_child::ScopedChild;

/// How to recognise a culprit among suspects.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// A process.
    Process(u32),
    /// `ip:port`.
    Endpoint(String),
    /// A control group, by the end of its name.
    Group(String),
    /// A mounted filesystem, by where.
    Filesystem(PathBuf),
}

/// A fault that goes on, until this is dropped.
pub struct Trouble {
    /// Who is to blame; any of them.
    pub culprits: Vec<Who>,
    /// What is right too, but tells less.
    pub second_best: Vec<Who>,
    /// What undoes it, before the strangers end: a frozen process cannot.
    _undo: Undo,
    strangers: Vec<ScopedChild>,
}

/// What a fault takes.
#[derive(Clone, Copy, PartialEq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Root.
    Root,
    /// Root and this controller of control groups, version 1.
    Controller(&'static str),
}

/// A fault that can befall the workload.
pub struct Fault {
    /// What to call it.
    pub name: &'static str,
    /// Who is to blame, in words.
    pub culprit: &'static str,
    /// What it takes.
    pub needs: Needs,
    /// Begins it.
    pub begin: fn(&Workload) -> anyhow::Result<Trouble>,
}

impl Fault {
    /// Why it cannot be played here, if so.
    pub fn missing(&self, workload: &Workload) -> Option<String> {
        match self.needs {
            Needs::Nothing => None,
            _ if !is_root() => Some("needs root".to_owned()),
            Needs::Controller(controller) if !workload.ground.groups.contains_key(controller) => {
                Some(format!("needs the controller `{controller}` of control groups, version 1"))
            }
            _ => None,
        }
    }
}

impl Trouble {
    fn by(culprit: Who) -> Trouble {
        Trouble { culprits: vec![culprit], second_best: Vec::new(), _undo: Undo::nothing(), strangers: Vec::new() }
    }

    fn by_strangers(strangers: Vec<ScopedChild>) -> Trouble {
        let culprits = strangers.iter().map(|stranger| Who::Process(stranger.id())).collect();
        Trouble { culprits, second_best: Vec::new(), _undo: Undo::nothing(), strangers }
    }
}

fn lasts() -> String {
    LASTS.as_secs().to_string()
}

fn ordered(workload: &Workload, part: &str, what: &str) -> anyhow::Result<Trouble> {
    Ok(Trouble::by(Who::Process(workload.order(part, what, LASTS.as_secs_f64())?)))
}

fn stopped(workload: &Workload, part: &str) -> anyhow::Result<Trouble> {
    let pid = workload.pid(part)?;
    signal(pid, Signal::STOP)?;
    let undo = Undo::with(move || drop(signal(pid, Signal::CONT)));
    Ok(Trouble { _undo: undo, ..Trouble::by(Who::Process(pid)) })
}

const fn fault(
    name: &'static str,
    culprit: &'static str,
    needs: Needs,
    begin: fn(&Workload) -> anyhow::Result<Trouble>,
) -> Fault {
    Fault { name, culprit, needs, begin }
}

/// All of them.
pub const FAULTS: [Fault; 22] = [
    fault("foreign-flock", "a stranger who keeps the lock of the log", Needs::Nothing, |workload| {
        Ok(Trouble::by_strangers(vec![workload.talking_stranger("rotate.py", &[&lasts()])?.0]))
    }),
    fault("posix-range", "the worker that keeps the range's lock", Needs::Nothing, |workload| {
        ordered(workload, "worker-2", "keep_range")
    }),
    fault("orphaned-flock", "the child of a dead parent that keeps its lock", Needs::Nothing, |workload| {
        let (_, child) = workload.talking_stranger("deploy.py", &[&lasts()])?;
        Ok(Trouble::by(Who::Process(child.parse().context("no process id")?)))
    }),
    fault("lock-chain", "the one at the end of two locks", Needs::Nothing, |workload| {
        let last = workload.talking_stranger("backup.py", &[&lasts()])?.0;
        let between = workload.talking_stranger("rotate.py", &[&lasts(), "archive.dat"])?.0;
        let mut trouble = Trouble::by_strangers(vec![last]);
        trouble.strangers.push(between);
        Ok(trouble)
    }),
    fault("stopped-database", "the database", Needs::Nothing, |workload| stopped(workload, "database")),
    fault("stopped-worker", "the worker", Needs::Nothing, |workload| stopped(workload, "worker-1")),
    fault("hung-database", "the database, which takes requests and answers none", Needs::Nothing, |workload| {
        ordered(workload, "database", "hang")
    }),
    fault("full-accept-queue", "the database, which takes no connections", Needs::Nothing, |workload| {
        let second_best = vec![database_endpoint(workload)];
        Ok(Trouble { second_best, ..ordered(workload, "database", "stop_accepting")? })
    }),
    fault("full-pipe", "the consumer, which stops reading", Needs::Nothing, |workload| {
        ordered(workload, "consumer", "stop_reading")
    }),
    fault("full-unix-socket", "the collector, which stops reading", Needs::Nothing, |workload| {
        ordered(workload, "collector", "stop_reading")
    }),
    fault("busy-loop", "the worker that computes without end", Needs::Nothing, |workload| {
        ordered(workload, "worker-2", "spin")
    }),
    fault("cpu-hogs", "any of the strangers, as many as cores", Needs::Nothing, |workload| {
        let hogs = available_parallelism().map_or(1, usize::from);
        let hogs = (0..hogs).map(|_| workload.stranger("crunch.py", &[])).collect::<Result<_, _>>()?;
        Ok(Trouble::by_strangers(hogs))
    }),
    fault("memory-leak", "the worker that takes 25 MB more each second", Needs::Nothing, |workload| {
        ordered(workload, "worker-3", "leak_memory")
    }),
    fault("fd-leak", "the worker that opens 50 files more each second", Needs::Nothing, |workload| {
        ordered(workload, "worker-1", "leak_files")
    }),
    fault("threads", "the worker that starts 20 threads more each second", Needs::Nothing, |workload| {
        ordered(workload, "worker-2", "start_threads")
    }),
    fault("fork-storm", "the shell that starts commands as fast as it can", Needs::Nothing, |workload| {
        Ok(Trouble::by_strangers(vec![workload.stranger("storm.sh", &[])?]))
    }),
    fault("zombies", "the supervisor, which does not wait for its children", Needs::Nothing, |workload| {
        ordered(workload, "supervisor", "forget")
    }),
    fault("disk-hog", "the stranger who writes and syncs without end", Needs::Nothing, |workload| {
        Ok(Trouble::by_strangers(vec![workload.stranger("sync.py", &[])?]))
    }),
    fault("full-tmpfs", "the stranger who filled it (second best: the filesystem)", Needs::Root, |workload| {
        let filler = workload.talking_stranger("fill.py", &[])?.0;
        let filesystem = workload.folder.join("spool");
        let file = filesystem.join("fill.dat");
        let undo = Undo::with(move || drop(std::fs::remove_file(file)));
        Ok(Trouble {
            second_best: vec![Who::Filesystem(filesystem)],
            _undo: undo,
            ..Trouble::by_strangers(vec![filler])
        })
    }),
    fault("cpu-throttling", "the workers' group, or the stranger in it", Needs::Controller("cpu"), |workload| {
        let hog = workload.stranger("crunch.py", &[])?;
        workload.ground.join_groups(hog.id())?;
        let mut trouble = Trouble::by_strangers(vec![hog]);
        trouble.culprits.push(group(workload, "cpu")?);
        Ok(trouble)
    }),
    fault("frozen-group", "the workers' group", Needs::Controller("freezer"), |workload| {
        let state = workload.ground.groups.get("freezer").context("no freezer")?.join("freezer.state");
        let (frozen, thawed) = (state.clone(), state);
        let undo = Undo::with(move || drop(std::fs::write(thawed, "THAWED")));
        std::fs::write(frozen, "FROZEN").context("cannot freeze a group")?;
        Ok(Trouble { _undo: undo, ..Trouble::by(group(workload, "freezer")?) })
    }),
    fault("lost-packets", "the endpoint of the database, for which 12 % are lost", Needs::Root, |workload| {
        let port = workload.database_port;
        let undo = Undo::with(move || drop(shell(&lose_no_more(port))));
        shell(&lose(port))?;
        Ok(Trouble { _undo: undo, ..Trouble::by(database_endpoint(workload)) })
    }),
];

fn database_endpoint(workload: &Workload) -> Who {
    Who::Endpoint(format!("127.0.0.1:{}", workload.database_port))
}

fn group(workload: &Workload, controller: &str) -> anyhow::Result<Who> {
    let group = workload.ground.groups.get(controller).and_then(|group| group.file_name());
    Ok(Who::Group(group.context("no such group")?.to_string_lossy().into_owned()))
}
