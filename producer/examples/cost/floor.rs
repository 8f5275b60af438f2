//! The raw floor of a sweep: the same questions asked of the kernel by the same system calls, and nothing made of the answers.

use std::{collections::HashMap, ffi::CString, mem::MaybeUninit, os::fd::OwnedFd, path::Path};

use anyhow::{Context, bail};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, SeekFrom, StatxFlags};
use schemas::RawRead;

use crate::dump::{Dump, Listing};

/// What a sweep asked, to be asked again.
///
/// In it are: every file opened relative to the same open directory, read into one buffer and closed; every directory opened, listed
/// and closed; every link read; every `stat` of a link and of what it leads to; every listing of sockets sent for and received. A file
/// that fits one read is read once, however often the sweep reads on to be sure that it ends. Not in it are: names, which are made
/// beforehand, numbers, texts, memory for answers, the clock, and all that is done with what was read.
pub struct Floor {
    asks: Vec<Ask>,
    open: Vec<Option<OwnedFd>>,
    dump: Option<Dump>,
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
    Open(usize),
    Close,
    Numbers,
    Read { on: bool },
    Link,
    LinkMode,
    Target,
    Dial,
    Dump(Listing),
}

/// The root is held open between sweeps.
const ROOT: usize = 0;
/// What is shorter the kernel hands over in one read.
const PAGE: usize = 4096;

impl Floor {
    /// Prepares to ask what a sweep below `root` asked.
    ///
    /// # Errors
    /// If the root cannot be opened, or a question is not known here.
    pub fn of(questions: &[RawRead], root: &Path) -> anyhow::Result<Floor> {
        let mut plan = Plan { root: root.to_string_lossy().into_owned(), open: HashMap::new(), asks: Vec::new(), n: 1 };
        for (at, question) in questions.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|before| questions.get(before));
            plan.add(question, before)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(root, flags, Mode::empty()).context("cannot open the root")?;
        let mut open = vec![Some(opened)];
        open.resize_with(plan.n, || None);
        Ok(Floor { asks: closing(plan.asks, plan.n), open, dump: None, buffer: vec![0; 64 << 10] })
    }

    /// Asks everything once.
    pub fn sweep(&mut self) {
        let (open, dump, buffer) = (&mut self.open, &mut self.dump, self.buffer.as_mut_slice());
        for ask in &self.asks {
            // What went meanwhile is not asked any more.
            let _ = ask.again(open, dump, buffer);
        }
        self.dump = None;
    }
}

/// Questions as they are resolved.
struct Plan {
    root: String,
    // The latest opening of each directory.
    open: HashMap<String, usize>,
    asks: Vec<Ask>,
    n: usize,
}

impl Plan {
    fn add(&mut self, asked: &RawRead, before: Option<&RawRead>) -> anyhow::Result<()> {
        let is_one_more =
            before.is_some_and(|before| (&before.question, &before.name) == (&asked.question, &asked.name));
        let what = match asked.question.as_str() {
            "open" => What::Open(self.n),
            "numbers" => What::Numbers,
            "read" => What::Read { on: asked.bytes.len() >= PAGE },
            "link" => What::Link,
            "link-mode" => What::LinkMode,
            "target" => What::Target,
            "netlink-open" => What::Dial,
            // Each part of an answer has a question of its own.
            "netlink" if is_one_more => return Ok(()),
            "netlink" => What::Dump(Listing::of_name(&asked.name)?),
            "clock" | "wall-clock" => return Ok(()),
            other => {
                bail!("the raw floor does not know how to ask `{other}`; teach it in `producer/examples/cost/floor.rs`")
            }
        };
        let (from, name) = match what {
            What::Numbers => (self.directory(&asked.name), ""),
            _ => self.relative(&asked.name),
        };
        self.asks.push(Ask { from, name: CString::new(name)?, what });
        if matches!(what, What::Open(_)) {
            self.open.insert(asked.name.clone(), self.n);
            self.n += 1;
        }
        Ok(())
    }

    fn directory(&self, path: &str) -> usize {
        self.open.get(path).copied().unwrap_or(ROOT)
    }

    /// The innermost open directory above a path, and the rest of the path.
    fn relative<'p>(&self, path: &'p str) -> (usize, &'p str) {
        let splits = path.rmatch_indices('/').map(|(at, _)| path.split_at(at));
        let mut known = splits.filter_map(|(above, below)| {
            let from = if above == self.root { ROOT } else { *self.open.get(above)? };
            Some((from, below.trim_start_matches('/')))
        });
        // A whole path is relative to nothing, whatever directory is named.
        known.next().unwrap_or((ROOT, path))
    }
}

/// Closes each directory but the root after its last use.
fn closing(asks: Vec<Ask>, n: usize) -> Vec<Ask> {
    let mut last = vec![0; n];
    for (at, ask) in asks.iter().enumerate() {
        last[ask.from] = at;
        if let What::Open(opened) = ask.what {
            last[opened] = at;
        }
    }
    let mut closing = Vec::with_capacity(asks.len() + n);
    for (at, ask) in asks.into_iter().enumerate() {
        let opened = if let What::Open(opened) = ask.what { opened } else { ROOT };
        let done = [ask.from, opened].into_iter().filter(|directory| *directory != ROOT && last[*directory] == at);
        let closes: Vec<Ask> = done.map(|from| Ask { from, name: CString::default(), what: What::Close }).collect();
        closing.push(ask);
        closing.extend(closes);
    }
    closing
}

impl Ask {
    fn again(
        &self,
        open: &mut [Option<OwnedFd>],
        dump: &mut Option<Dump>,
        buffer: &mut [u8],
    ) -> rustix::io::Result<()> {
        match self.what {
            What::Close => drop(open[self.from].take()),
            What::Dial => *dump = Dump::open().ok(),
            What::Dump(listing) => drop(dump.as_mut().map(|dump| dump.receive(listing, buffer))),
            What::Open(opened) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                open[opened] = Some(rustix::fs::openat(self.directory(open)?, &self.name, flags, Mode::empty())?);
            }
            What::Numbers => list(self.directory(open)?, self.from == ROOT)?,
            What::Read { on } => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                let file = rustix::fs::openat(self.directory(open)?, &self.name, flags, Mode::empty())?;
                while rustix::io::read(&file, &mut *buffer)? > 0 && on {}
            }
            What::Link => drop(rustix::fs::readlinkat_raw(self.directory(open)?, &self.name, &mut *buffer)?),
            What::LinkMode => {
                rustix::fs::statat(self.directory(open)?, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
            }
            What::Target => {
                let wanted = StatxFlags::TYPE | StatxFlags::INO;
                rustix::fs::statx(self.directory(open)?, &self.name, AtFlags::STATX_DONT_SYNC, wanted)?;
            }
        }
        Ok(())
    }

    fn directory<'o>(&self, open: &'o [Option<OwnedFd>]) -> rustix::io::Result<&'o OwnedFd> {
        open[self.from].as_ref().ok_or(rustix::io::Errno::NOENT)
    }
}

fn list(directory: &OwnedFd, again: bool) -> rustix::io::Result<()> {
    if again {
        rustix::fs::seek(directory, SeekFrom::Start(0))?;
    }
    let mut buffer = [MaybeUninit::<u8>::uninit(); 32 << 10];
    let mut entries = RawDir::new(directory, &mut buffer);
    while entries.next().transpose()?.is_some() {}
    Ok(())
}
