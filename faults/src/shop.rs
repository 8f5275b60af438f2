//! The shop of `deploy/demo`, if it runs: where its parts are, and how to order a bug of one.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::{fs::OFlags, process::geteuid};
use serde::Deserialize;
use service::Hint;

use super::{truth::Suspect, who};

mod orders;

pub use orders::{Order, order};

/// The state file, in the shop's folder.
const STATE: &str = "shop.json";

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
        if let Some(told) = std::env::var_os("DETECTIVE_SHOP") {
            return Shop::find_in(Path::new(&told));
        }
        let folder = PathBuf::from(format!("/tmp/detective-shop-{}", geteuid().as_raw()));
        // Anybody can make that folder first. What is in it is no shop of this user's then.
        if is_strangers(&folder) { Ok(None) } else { Shop::find_in(&folder) }
    }

    fn find_in(folder: &Path) -> anyhow::Result<Option<Shop>> {
        let Some((text, owner)) = read_state(folder)? else { return Ok(None) };
        let cannot_understand = || format!("cannot understand `{}`", folder.join(STATE).display());
        let mut shop: Shop = serde_json::from_str(&text).with_context(cannot_understand)?;
        shop.forget_strangers();
        // Of a shop that was ended by force the file is left.
        Ok(Some(shop).filter(|shop| shop.is_supervised_by(owner)))
    }

    /// Whether the process is this user's supervisor, and no other that has its pid now.
    fn is_supervised_by(&self, owner: u32) -> bool {
        let process = PathBuf::from(format!("/proc/{}", self.pid));
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let folder = self.folder.as_os_str().as_bytes();
        let is_supervisor = words.any(|word| word.ends_with(b"/supervisor.py")) && words.any(|word| word == folder);
        is_supervisor && process.metadata().is_ok_and(|about| about.uid() == owner)
    }

    /// Leaves the supervisor and what it has started: whoever may write the file could name any process in it, and a pid may
    /// have come to another since.
    fn forget_strangers(&mut self) {
        let supervisor = self.pid;
        self.parts.retain(|part| part.pid == supervisor || who::parent(part.pid) == Some(supervisor));
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

/// The state file of the shop in a folder, and whose it is; none if there is no such file.
fn read_state(folder: &Path) -> anyhow::Result<Option<(String, u32)>> {
    if let Ok(about) = folder.symlink_metadata() {
        check_owner(about.uid(), folder)?;
    }
    let path = folder.join(STATE);
    let cannot_read = || format!("cannot read `{}`", path.display());
    // Whoever may write to the folder may have put there what leads elsewhere, or what is waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = match File::options().read(true).custom_flags(flags.bits() as i32).open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(cannot_read)?,
    };
    let about = file.metadata().with_context(cannot_read)?;
    check_owner(about.uid(), &path)?;
    anyhow::ensure!(about.is_file(), "`{}` must be a plain file, and is none", path.display());
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(cannot_read)?;
    Ok(Some((text, about.uid())))
}

/// Anybody can make a folder in `/tmp` first, and name processes in it that are not to be touched.
fn check_owner(owner: u32, path: &Path) -> anyhow::Result<()> {
    let own =
        if is_own(owner) { Ok(()) } else { Err(anyhow::anyhow!("the shop of `{}` is another user's", path.display())) };
    own.hint("start the fault as who started the shop")
}

fn is_own(owner: u32) -> bool {
    /// Who runs root's shop.
    const NOBODY: u32 = 65534;
    let me = geteuid();
    owner == me.as_raw() || (me.is_root() && owner == NOBODY)
}

/// Whether it is there and another user's.
fn is_strangers(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| !is_own(about.uid()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A folder that belongs to somebody else.
    fn strangers(folder: &Path) -> &Path {
        if !geteuid().is_root() {
            return Path::new("/");
        }
        std::os::unix::fs::chown(folder, Some(1), None).unwrap();
        folder
    }

    #[test]
    fn a_strangers_shop_is_none_of_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_strangers(folder.path()) && !is_strangers(&folder.path().join("nothing")));
        assert!(Shop::find_in(folder.path()).unwrap().is_none());
        let strangers = strangers(folder.path());
        assert!(is_strangers(strangers));
        assert!(Shop::find_in(strangers).unwrap_err().to_string().ends_with("is another user's"));
    }

    #[test]
    fn what_is_no_plain_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Command::new("mkfifo").arg(folder.path().join(STATE)).status().unwrap().success());
        assert!(Shop::find_in(folder.path()).unwrap_err().to_string().contains("must be a plain file"));
    }

    #[test]
    fn only_what_the_supervisor_has_started_is_a_part() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let me = std::process::id();
        let part = |name: &str, pid: u32| serde_json::json!({"name": name, "role": "web", "pid": pid});
        let mut shop: Shop = serde_json::from_value(serde_json::json!({
            "folder": "/shop", "pid": me, "front": "", "audit_log": "", "ledger": "", "spool": "", "spool_mounted": false,
            "parts": [part("supervisor", me), part("child", child.id()), part("stranger", 1)],
            "database": {"endpoint": "", "name": "", "user": "", "table": ""},
            "cache": {"endpoint": ""},
        }))
        .unwrap();
        shop.forget_strangers();
        child.kill().unwrap();
        child.wait().unwrap();
        let left: Vec<&str> = shop.parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(left, ["supervisor", "child"]);
    }
}
