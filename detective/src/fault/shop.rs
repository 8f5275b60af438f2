//! The shop of `deploy/demo`, if it runs: where its parts are, and how to order a bug of one.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    os::unix::{ffi::OsStrExt, fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use rustix::process::geteuid;
use serde::Deserialize;
use service::Hint;

use super::{truth::Suspect, who};

/// What the shop's state file says, as far as faults need it.
#[derive(Clone, Debug, Deserialize)]
pub struct Shop {
    /// Where it lives.
    pub folder: PathBuf,
    /// The supervisor.
    pub pid: u32,
    /// Where requests go, `ip:port`.
    pub front: String,
    /// Its processes.
    pub parts: Vec<Part>,
    /// Web workers append to it under its lock.
    pub audit_log: PathBuf,
    /// The queue worker, the biller and web workers write to it under its POSIX lock.
    pub ledger: PathBuf,
    /// Small files are written there with each order.
    pub spool: PathBuf,
    /// Whether that is a filesystem of its own.
    pub spool_mounted: bool,
    /// Its PostgreSQL.
    pub database: Database,
    /// Its Redis.
    pub cache: Cache,
}

/// A process of the shop.
#[derive(Clone, Debug, Deserialize)]
pub struct Part {
    /// Such as `web-2`.
    pub name: String,
    /// Such as `web`.
    pub role: String,
    /// Process id.
    pub pid: u32,
    /// Where it listens, `ip:port`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The socket on which it takes orders.
    #[serde(default)]
    pub control: Option<PathBuf>,
}

/// The database, as its clients know it.
#[derive(Clone, Debug, Deserialize)]
pub struct Database {
    /// `ip:port`.
    pub endpoint: String,
    /// Of the database.
    pub name: String,
    /// Who may do what the shop does.
    pub user: String,
    /// What each order changes a row of.
    pub table: String,
}

/// The cache.
#[derive(Clone, Debug, Deserialize)]
pub struct Cache {
    /// `ip:port`.
    pub endpoint: String,
}

impl Shop {
    /// The shop in `DETECTIVE_SHOP`, or where it is by default; none if it does not run.
    ///
    /// # Errors
    /// If its state file cannot be understood.
    pub fn find() -> anyhow::Result<Option<Shop>> {
        let by_default = || PathBuf::from(format!("/tmp/detective-shop-{}", geteuid().as_raw()));
        let folder = std::env::var_os("DETECTIVE_SHOP").map_or_else(by_default, PathBuf::from);
        let file = folder.join("shop.json");
        let cannot_read = || format!("cannot read `{}`", file.display());
        let mut state = match File::open(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.with_context(cannot_read)?,
        };
        check_owner(&state, &file)?;
        let mut text = String::new();
        state.read_to_string(&mut text).with_context(cannot_read)?;
        let shop: Shop =
            serde_json::from_str(&text).with_context(|| format!("cannot understand `{}`", file.display()))?;
        // Of a shop that was ended by force the file is left.
        Ok(Some(shop).filter(Shop::is_supervised))
    }

    /// Whether the process is the supervisor, and no other that has its pid now.
    fn is_supervised(&self) -> bool {
        let line = std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let folder = self.folder.as_os_str().as_bytes();
        words.any(|word| word.ends_with(b"/supervisor.py")) && words.any(|word| word == folder)
    }

    /// Its parts of a role.
    pub fn all(&self, role: &str) -> Vec<&Part> {
        self.parts.iter().filter(|part| part.role == role).collect()
    }

    /// Its parts of these roles, as those who suffer: their processes, those that they have started to do the work, and what
    /// listens at their endpoints.
    pub fn suspects(&self, roles: &[&str]) -> Vec<Suspect> {
        let of_part = |part: &Part| {
            let workers = who::children(part.pid).into_iter().map(Suspect::process);
            Suspect::part_and_endpoint(part).into_iter().chain(workers).collect::<Vec<_>>()
        };
        roles.iter().flat_map(|role| self.all(role)).flat_map(of_part).collect()
    }

    /// One of its parts of a role: of several the second, so that neighbours of either side are well.
    ///
    /// # Errors
    /// If there is none.
    pub fn one(&self, role: &str) -> anyhow::Result<&Part> {
        let parts = self.all(role);
        let part = parts.get(1).or(parts.first()).copied();
        part.with_context(|| format!("the shop has no part of the role `{role}`"))
            .hint("it may have ended: look at its logs, or start the shop again")
    }
}

/// Anybody can make a folder in `/tmp` first, and name processes in it that are not to be touched.
fn check_owner(state: &File, path: &Path) -> anyhow::Result<()> {
    /// Who runs root's shop.
    const NOBODY: u32 = 65534;
    let (owner, me) =
        (state.metadata().with_context(|| format!("cannot look at `{}`", path.display()))?.uid(), geteuid());
    let own = owner == me.as_raw() || (me.is_root() && owner == NOBODY);
    let own = if own { Ok(()) } else { Err(anyhow::anyhow!("the shop of `{}` is another user's", path.display())) };
    own.hint("start the fault as who started the shop")
}

/// A bug that lasts as long as this connection.
pub struct Order {
    _connection: UnixStream,
}

/// Orders a bug of a part, such as `leak 25`, for so many seconds at most.
///
/// # Errors
/// If the part does not take it.
pub fn order(part: &Part, bug: &str, seconds: u64) -> anyhow::Result<Order> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let control = part.control.as_ref().with_context(|| format!("the shop's `{}` takes no orders", part.name))?;
    let refused = || format!("the shop's `{}` does not take the order `{bug}`", part.name);
    let mut connection = UnixStream::connect(control).with_context(refused)?;
    connection.set_read_timeout(Some(PATIENCE)).with_context(refused)?;
    // In one piece: whoever reads may take what is there for the whole line.
    connection.write_all(format!("{bug} {seconds}\n").as_bytes()).with_context(refused)?;
    let mut said = String::new();
    BufReader::new(&connection).read_line(&mut said).with_context(refused)?;
    anyhow::ensure!(said.trim_end() == "begun", "{}: it says `{}`", refused(), said.trim_end());
    Ok(Order { _connection: connection })
}
