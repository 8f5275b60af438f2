//! The raw floor of a sweep: the same system calls, with the results discarded.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::CString,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use anyhow::{Context, bail};
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, RawDir, SeekFrom, StatxFlags},
    io::Errno,
};
use schemas::RawRead;

use crate::dump::{Dump, Listing};

/// The reads of a sweep, to be repeated.
///
/// Included: every file is opened relative to the same open directory, read into one buffer and
/// closed; every directory opened, listed and closed; every link read; every `stat` of a link and
/// its target; every `statvfs`; every limit queried by pid; every socket listing requested and
/// received (always those of this process's network namespace). A file that fits one read is read
/// once, although a sweep reads on until the end, and by the same thread, although a sweep may use
/// another. Directories that a sweep keeps open between sweeps stay open here too.
///
/// Excluded: building names, which are prepared beforehand; parsing; memory for results; reading
/// clocks; and everything made of the results.
pub struct Floor {
    asks: Vec<Ask>,
    open: Vec<Option<OwnedFd>>,
    dump: Dump,
    buffer: Vec<u8>,
}

struct Ask {
    // Index of the open directory that the name is relative to.
    from: usize,
    name: CString,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Open(usize, OFlags),
    Close,
    Numbers,
    Read { on: bool },
    Link,
    LinkMode,
    Target,
    Size,
    Space,
    Limit(i32),
    Dump(Listing),
}

/// Index for absolute paths.
const NOWHERE: usize = 0;
/// The kernel returns shorter files in one read.
const PAGE: usize = 4096;

impl Floor {
    /// Prepares to repeat the reads of a sweep below `root`. `opened` are the directories that the
    /// sweep had opened before.
    ///
    /// # Errors
    /// If the kernel lists no sockets, or a read is of an unknown type.
    pub fn new(questions: &[RawRead], opened: &BTreeSet<String>, root: &Path) -> anyhow::Result<Floor> {
        let mut plan = Plan::new(opened, root);
        for (at, question) in questions.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|before| questions.get(before));
            plan.add(question, before)?;
        }
        let dump = Dump::open().context("cannot ask the kernel for sockets")?;
        Ok(Floor {
            asks: closing(plan.asks, plan.held, plan.open.len()),
            open: plan.open,
            dump,
            buffer: vec![0; 64 << 10],
        })
    }

    /// Repeats all reads once.
    pub fn sweep(&mut self) {
        for ask in &self.asks {
            // Processes that have exited in between are skipped.
            let _ = ask.again(&mut self.open, &self.dump, &mut self.buffer);
        }
    }
}

/// Reads under preparation.
struct Plan {
    // The latest opening of each directory.
    known: HashMap<String, usize>,
    open: Vec<Option<OwnedFd>>,
    // Number of directories that stay open between sweeps.
    held: usize,
    asks: Vec<Ask>,
}

impl Plan {
    /// Of the directories opened before, those of processes are closed again.
    fn new(opened: &BTreeSet<String>, root: &Path) -> Plan {
        let mut plan = Plan { known: HashMap::new(), open: vec![None], held: 1, asks: Vec::new() };
        for path in opened.iter().filter(|path| Path::new(path) == root || !Path::new(path).starts_with(root)) {
            plan.known.insert(path.clone(), plan.open.len());
            plan.open.push(rustix::fs::open(path.as_str(), DIRECTORY, Mode::empty()).ok());
        }
        plan.held = plan.open.len();
        plan
    }

    fn add(&mut self, asked: &RawRead, before: Option<&RawRead>) -> anyhow::Result<()> {
        let is_one_more =
            before.is_some_and(|before| (&before.question, &before.name) == (&asked.question, &asked.name));
        let what = match asked.question.as_str() {
            "open" => What::Open(self.open.len(), DIRECTORY),
            "enter" => What::Open(self.open.len(), ENTERED),
            "numbers" => What::Numbers,
            "read" | "part" => What::Read { on: asked.bytes.len() >= PAGE },
            "link" => What::Link,
            "link-mode" => What::LinkMode,
            "target" => What::Target,
            "size" => What::Size,
            "space" => What::Space,
            "limit" => What::Limit(asked.name.rsplit('/').next().unwrap_or_default().parse()?),
            // Each part of a listing has a record of its own.
            "netlink" if is_one_more => return Ok(()),
            "netlink" => What::Dump(Listing::from_name(&asked.name)?),
            "netlink-open" | "cpu-time" | "clock" | "wall-clock" | "thread-cpu" => return Ok(()),
            other => {
                bail!("the raw floor does not know how to ask `{other}`; teach it in `producer/examples/cost/floor.rs`")
            }
        };
        let (from, name) = match what {
            What::Numbers | What::Size => (self.known.get(&asked.name).copied().unwrap_or(NOWHERE), ""),
            _ => self.relative(&asked.name),
        };
        self.asks.push(Ask { from, name: CString::new(name)?, what });
        if matches!(what, What::Open(..)) {
            self.known.insert(asked.name.clone(), self.open.len());
            self.open.push(None);
        }
        Ok(())
    }

    /// Returns the innermost open directory above a path, and the rest of the path.
    fn relative<'p>(&self, path: &'p str) -> (usize, &'p str) {
        let splits = path.rmatch_indices('/').map(|(at, _)| path.split_at(at));
        let mut known = splits.filter_map(|(above, below)| Some((*self.known.get(above)?, &below[1..])));
        known.next().unwrap_or((NOWHERE, path))
    }
}

/// Closes each directory after its last use, except those that stay open.
fn closing(asks: Vec<Ask>, held: usize, n: usize) -> Vec<Ask> {
    let mut last = vec![0; n];
    for (at, ask) in asks.iter().enumerate() {
        last[ask.from] = at;
        if let What::Open(opened, _) = ask.what {
            last[opened] = at;
        }
    }
    let mut closing = Vec::with_capacity(asks.len() + n);
    for (at, ask) in asks.into_iter().enumerate() {
        let opened = if let What::Open(opened, _) = ask.what { opened } else { NOWHERE };
        let done = [ask.from, opened].into_iter().filter(|directory| *directory >= held && last[*directory] == at);
        let closes: Vec<Ask> = done.map(|from| Ask { from, name: CString::default(), what: What::Close }).collect();
        closing.push(ask);
        closing.extend(closes);
    }
    closing
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const ENTERED: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Ask {
    fn again(&self, open: &mut [Option<OwnedFd>], dump: &Dump, buffer: &mut [u8]) -> rustix::io::Result<()> {
        let from = match &open[self.from] {
            Some(directory) => directory.as_fd(),
            None if self.from == NOWHERE => CWD,
            None => return Err(Errno::NOENT),
        };
        match self.what {
            What::Close => drop(open[self.from].take()),
            What::Dump(listing) => drop(dump.receive(listing, buffer)),
            What::Open(opened, flags) => {
                open[opened] = Some(rustix::fs::openat(from, &self.name, flags, Mode::empty())?);
            }
            What::Numbers => list(from)?,
            What::Read { on } => {
                let file = rustix::fs::openat(from, &self.name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
                while rustix::io::read(&file, &mut *buffer)? > 0 && on {}
            }
            What::Link => drop(rustix::fs::readlinkat_raw(from, &self.name, &mut *buffer)?),
            What::LinkMode => drop(rustix::fs::statat(from, &self.name, AtFlags::SYMLINK_NOFOLLOW)?),
            What::Target => {
                let wanted =
                    StatxFlags::TYPE | StatxFlags::INO | StatxFlags::MNT_ID | StatxFlags::BLOCKS | StatxFlags::BTIME;
                rustix::fs::statx(from, &self.name, AtFlags::STATX_DONT_SYNC, wanted)?;
            }
            What::Size => {
                let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
                rustix::fs::statx(from, "", flags, StatxFlags::SIZE)?;
            }
            What::Limit(pid) => {
                let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                // SAFETY: no new limit is passed, and the old one is written to a valid location.
                unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit) };
            }
            What::Space => {
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = rustix::fs::openat(from, &self.name, flags, Mode::empty())?;
                rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE)?;
                rustix::fs::fstatvfs(&file)?;
            }
        }
        Ok(())
    }
}

/// Lists a directory from its beginning, because the root is listed repeatedly.
fn list(directory: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::fs::seek(directory, SeekFrom::Start(0))?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 32 << 10];
    let mut entries = RawDir::new(directory, &mut buffer);
    while entries.next().transpose()?.is_some() {}
    Ok(())
}
