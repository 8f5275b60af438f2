//! What a fault is played on: its own processes, orders to the shop's, and all that is changed, with the guard told of it before.
//!
//! All is gone when it is dropped: orders first, then processes, and then the guard takes its steps.

use std::{
    fmt,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::Signal;
use schemas::Timestamp;
use service::Hint;

use super::{
    guard::Guard,
    part::Part,
    shop::{self, Shop},
    who::{self, Who},
};

mod changes;
mod scenes;

/// Longer than a part takes to begin, however busy the host is.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is not over so long after its time never will be.
const LATEST: Duration = Duration::from_secs(60);

/// What happens on the stage.
#[derive(Debug)]
pub enum Event {
    /// A process says a word.
    Said(u32, String),
    /// A process has ended, or is about to.
    Ended(u32),
    /// The part of the shop with this name has ended what it was ordered, or is gone.
    OrderEnded(String),
    /// Somebody wants all of it to be over.
    Interrupted,
}

/// Why a fault is over before its time without anything being wrong.
#[derive(Debug)]
pub struct Interrupted;

impl std::error::Error for Interrupted {}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

const EARLY: &str = "the fault was over before its time";

type Again = Box<dyn FnMut(&mut Stage) -> anyhow::Result<()>>;

/// What a fault is played on.
pub struct Stage {
    /// The shop, if it runs.
    pub shop: Option<Shop>,
    after: Duration,
    hold: Duration,
    path: Option<PathBuf>,
    folder: Option<PathBuf>,
    orders: Vec<shop::Order>,
    parts: Vec<Child>,
    orphans: Vec<Who>,
    again: Option<Again>,
    begun: Option<Timestamp>,
    sender: Sender<Event>,
    events: Receiver<Event>,
    guard: Guard,
}

impl Stage {
    /// An empty one, guarded.
    ///
    /// Must be called, like all that starts a process, by the thread that lasts as long as the program: parts end with it.
    ///
    /// # Errors
    /// If there is no guard, or another fault goes on.
    pub fn set(after: Duration, hold: Duration, path: Option<PathBuf>, shop: Option<Shop>) -> anyhow::Result<Stage> {
        let (sender, events) = channel();
        let (guard, heard) = Guard::start(after + hold + LATEST)?;
        listen(guard.pid(), heard, sender.clone());
        Ok(Stage {
            shop,
            after,
            hold,
            path,
            folder: None,
            orders: Vec::new(),
            parts: Vec::new(),
            orphans: Vec::new(),
            again: None,
            begun: None,
            sender,
            events,
            guard,
        })
    }

    /// Where others put what happens.
    pub fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// The shop as it is now, where a fault needs it: a part may have been started again while all was well.
    ///
    /// # Errors
    /// If it does not run.
    pub fn shop(&self) -> anyhow::Result<Shop> {
        Shop::find()?.context("the shop does not run any more")
    }

    /// Whether a file of the shop's is played with: the shop runs, and no other file was named.
    pub fn plays_in_shop(&self) -> bool {
        self.shop.is_some() && self.path.is_none()
    }

    /// Starts a part and waits until it says that it is on.
    ///
    /// # Errors
    /// If it cannot be started, or ends.
    pub fn start(&mut self, part: &Part) -> anyhow::Result<u32> {
        let pid = self.start_with(part, self.guard.held()?)?;
        self.hear(pid)?;
        Ok(pid)
    }

    /// Starts a part that is told what to do, or that says nothing.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_with(&mut self, part: &Part, stdin: Stdio) -> anyhow::Result<u32> {
        // By this name the same program is meant even if the file was replaced since.
        let mut command = Command::new("/proc/self/exe");
        command.args(["fault", "part", "--parent", &std::process::id().to_string()]).arg(serde_json::to_string(part)?);
        let process = command.stdin(stdin).stdout(Stdio::piped()).spawn();
        let mut process = process.with_context(|| format!("cannot start the part `{}`", part.name()))?;
        let heard = process.stdout.take().context("a part has no standard output")?;
        let pid = process.id();
        self.parts.push(process);
        listen(pid, BufReader::new(heard), self.sender.clone());
        Ok(pid)
    }

    /// Tells a part that was started with a pipe.
    ///
    /// # Errors
    /// If it does not listen.
    pub fn tell(&mut self, pid: u32, text: &str) -> anyhow::Result<()> {
        let stdin = self.parts.iter_mut().find(|part| part.id() == pid).and_then(|part| part.stdin.as_mut());
        stdin.context("the part has no pipe")?.write_all(text.as_bytes()).context("the part does not listen")
    }

    /// The next word of a part.
    ///
    /// # Errors
    /// If something ends before, or it says nothing for long.
    pub fn hear(&mut self, pid: u32) -> anyhow::Result<String> {
        let until = Instant::now() + PATIENCE;
        while let Some((who, word)) = self.next(until)? {
            if who == pid {
                return Ok(word);
            }
        }
        bail!("the part `{}` (pid {pid}) did not begin within {} s", who::name(pid), PATIENCE.as_secs())
    }

    /// Starts a part that leaves another process behind, which says its id, and ends. Gives that id.
    ///
    /// # Errors
    /// If either cannot be started.
    pub fn start_heir(&mut self, part: &Part) -> anyhow::Result<u32> {
        let pid = self.start(part)?;
        let parent = self.parts.last_mut().context("nothing was started")?;
        parent.wait().context("cannot wait for a part that ends")?;
        let heir = self.hear(pid)?.parse().context("who was left behind does not say its process id")?;
        self.orphans.push(Who::of(heir)?);
        Ok(heir)
    }

    /// Does this each second while the fault lasts.
    pub fn again(&mut self, again: impl FnMut(&mut Stage) -> anyhow::Result<()> + 'static) {
        self.again = Some(Box::new(again));
    }

    /// Waits for as long as all is to be well before the fault begins.
    ///
    /// # Errors
    /// If something ends before, or this is interrupted.
    pub fn all_is_well(&mut self) -> anyhow::Result<()> {
        self.wait(self.after)?;
        self.begun = Some(Timestamp::now());
        Ok(())
    }

    /// When all was well for the last time: what grows or fills is felt before it is all there.
    pub fn begun(&self) -> Timestamp {
        self.begun.unwrap_or_else(Timestamp::now)
    }

    /// Waits for as long as the fault lasts.
    ///
    /// # Errors
    /// If something ends before, or this is interrupted.
    pub fn last(&mut self) -> anyhow::Result<()> {
        const OFTEN: Duration = Duration::from_secs(1);
        let begun = Instant::now();
        while let Some(left) = self.hold.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
            self.wait(left.min(OFTEN))?;
            if let Some(mut again) = self.again.take() {
                again(self)?;
                self.again = Some(again);
            }
        }
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        while self.next(until)?.is_some() {}
        Ok(())
    }

    /// The next word that a process says; none if none comes in time.
    fn next(&mut self, until: Instant) -> anyhow::Result<Option<(u32, String)>> {
        match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Event::Said(pid, word)) => Ok(Some((pid, word))),
            Ok(Event::Ended(pid)) => self.complain(pid),
            Ok(Event::OrderEnded(part)) => Err(anyhow::anyhow!("{EARLY}: the shop's `{part}` ended its order"))
                .hint("it may have died and been started again: `log/supervisor.log` of the shop tells"),
            Ok(Event::Interrupted) => bail!(Interrupted),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    /// Ends it all, and takes back what was changed.
    ///
    /// # Errors
    /// If something is left.
    pub fn undo(mut self) -> anyhow::Result<()> {
        self.end_processes();
        self.guard.undo()
    }

    fn end_processes(&mut self) {
        self.orders.clear();
        for part in &mut self.parts {
            let _ = part.kill();
            let _ = part.wait();
        }
        for orphan in &self.orphans {
            let _ = orphan.signal(Signal::KILL);
        }
    }

    fn complain<T>(&mut self, pid: u32) -> anyhow::Result<T> {
        let name = who::name(pid);
        match self.parts.iter_mut().find(|part| part.id() == pid) {
            Some(part) => {
                let status = part.wait().with_context(|| format!("cannot wait for process {pid}"))?;
                bail!("{EARLY}: its process `{name}` (pid {pid}) ended with {status}")
            }
            None => bail!("{EARLY}: its guard (pid {pid}) ended"),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end_processes();
    }
}

/// Turns what a process says, and that it says no more, into events.
fn listen(pid: u32, heard: BufReader<ChildStdout>, sender: Sender<Event>) {
    std::thread::spawn(move || {
        for word in heard.lines().map_while(Result::ok) {
            // Who is heard by nobody is to notice that.
            if sender.send(Event::Said(pid, word)).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::Ended(pid));
    });
}
