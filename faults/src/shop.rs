//! The running shop of `deploy/demo`: its components, and how to switch on their bugs.

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

use super::{ground_truth::Suspect, process_identity};

mod control;

pub use control::{ActiveBug, start_bug};

/// Name of the state file in the shop's folder.
const STATE_FILE: &str = "shop.json";

/// The content of the shop's state file, as far as faults use it.
#[derive(Clone, Debug, Deserialize)]
pub struct Shop {
    /// Folder of the shop.
    pub folder: PathBuf,
    /// Pid of the supervisor.
    pub pid: u32,
    /// Address of the reverse proxy, `ip:port`.
    pub front: String,
    /// Running components.
    pub components: Vec<Component>,
    /// Web workers append to this file under `flock`.
    pub audit_log: PathBuf,
    /// The queue worker, the biller and web workers write to this file under POSIX locks.
    pub ledger: PathBuf,
    /// Each order writes a small file to this folder.
    pub spool: PathBuf,
    /// Whether the spool is a filesystem of its own.
    pub spool_mounted: bool,
    /// The shop's PostgreSQL.
    pub database: Database,
    /// The shop's Redis.
    pub cache: Cache,
}

/// A component of the shop.
#[derive(Clone, Debug, Deserialize)]
pub struct Component {
    /// Name, such as `web-2`.
    pub name: String,
    /// Role, such as `web`.
    pub role: String,
    /// Process id.
    pub pid: u32,
    /// Address it listens on, `ip:port`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Path of its control socket.
    #[serde(default)]
    pub control: Option<PathBuf>,
}

impl Component {
    /// The process as a suspect.
    pub fn suspect(&self) -> Suspect {
        Suspect { endpoint: self.endpoint.clone(), ..Suspect::process(self.pid) }
    }

    /// The process and the endpoint as suspects. Either is a correct answer.
    pub fn suspects(&self) -> Vec<Suspect> {
        [self.suspect()].into_iter().chain(self.endpoint.as_deref().map(Suspect::endpoint)).collect()
    }
}

/// How clients connect to the database.
#[derive(Clone, Debug, Deserialize)]
pub struct Database {
    /// Address, `ip:port`.
    pub endpoint: String,
    /// Name of the database.
    pub name: String,
    /// Role with the shop's permissions.
    pub user: String,
    /// Table in which each order updates a row.
    pub table: String,
}

/// How clients connect to the cache.
#[derive(Clone, Debug, Deserialize)]
pub struct Cache {
    /// Address, `ip:port`.
    pub endpoint: String,
}

impl Shop {
    /// Finds the running shop in `DETECTIVE_SHOP` or the default folder; `None` if there is none.
    ///
    /// # Errors
    /// If its state file cannot be read, or `DETECTIVE_SHOP` names the shop of another user.
    pub fn find() -> anyhow::Result<Option<Shop>> {
        if let Some(folder) = std::env::var_os("DETECTIVE_SHOP") {
            return Shop::find_in(Path::new(&folder));
        }
        let folder = PathBuf::from(format!("/tmp/detective-shop-{}", geteuid().as_raw()));
        // Any user can create this folder first. Then it does not contain this user's shop.
        if belongs_to_other_user(&folder) { Ok(None) } else { Shop::find_in(&folder) }
    }

    fn find_in(folder: &Path) -> anyhow::Result<Option<Shop>> {
        let Some((text, owner)) = read_state(folder)? else { return Ok(None) };
        let invalid = || format!("`{}` is not a valid state file", folder.join(STATE_FILE).display());
        let mut shop: Shop = serde_json::from_str(&text).with_context(invalid)?;
        shop.retain_own_components();
        // A shop that was killed leaves its state file behind.
        Ok(Some(shop).filter(|shop| shop.is_supervised_by(owner)))
    }

    /// Whether the process with the supervisor's pid is a supervisor of this folder and user.
    fn is_supervised_by(&self, owner: u32) -> bool {
        let process = PathBuf::from(format!("/proc/{}", self.pid));
        let command_line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let mut words = command_line.split(|byte| *byte == 0);
        let folder = self.folder.as_os_str().as_bytes();
        let is_supervisor = words.any(|word| word.ends_with(b"/supervisor.py")) && words.any(|word| word == folder);
        is_supervisor && process.metadata().is_ok_and(|metadata| metadata.uid() == owner)
    }

    /// Keeps the supervisor and its children: the file could name any process, or a pid that was
    /// reused since.
    fn retain_own_components(&mut self) {
        let supervisor = self.pid;
        self.components.retain(|component| {
            component.pid == supervisor || process_identity::parent(component.pid) == Some(supervisor)
        });
    }

    /// All components with a role.
    pub fn with_role(&self, role: &str) -> Vec<&Component> {
        self.components.iter().filter(|component| component.role == role).collect()
    }

    /// The components with these roles as suspects: their processes, child processes and endpoints.
    pub fn suspects(&self, roles: &[&str]) -> Vec<Suspect> {
        let suspects = |component: &Component| {
            let workers = process_identity::children(component.pid).into_iter().map(Suspect::process);
            component.suspects().into_iter().chain(workers).collect::<Vec<_>>()
        };
        roles.iter().flat_map(|role| self.with_role(role)).flat_map(suspects).collect()
    }

    /// One component with a role. Of several it is the second, so that both its neighbours stay
    /// healthy.
    ///
    /// # Errors
    /// If there is none.
    pub fn pick(&self, role: &str) -> anyhow::Result<&Component> {
        let components = self.with_role(role);
        let component = components.get(1).or(components.first()).copied();
        component
            .with_context(|| format!("the shop has no component with the role `{role}`"))
            .hint("it may have exited: check the shop's logs, or restart the shop")
    }
}

/// Reads the state file of the shop in a folder, and its owner; `None` if there is no such file.
fn read_state(folder: &Path) -> anyhow::Result<Option<(String, u32)>> {
    if let Ok(metadata) = folder.symlink_metadata() {
        check_owner(metadata.uid(), folder)?;
    }
    let path = folder.join(STATE_FILE);
    let cannot_read = || format!("cannot read `{}`", path.display());
    // The owner of the folder could put a link or a pipe there.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = match File::options().read(true).custom_flags(flags.bits() as i32).open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(cannot_read)?,
    };
    let metadata = file.metadata().with_context(cannot_read)?;
    check_owner(metadata.uid(), &path)?;
    anyhow::ensure!(metadata.is_file(), "`{}` must be a regular file", path.display());
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(cannot_read)?;
    Ok(Some((text, metadata.uid())))
}

/// Checks that a shop is this user's. Any user can create a folder in `/tmp` and name in it
/// processes that faults must not touch.
fn check_owner(owner: u32, path: &Path) -> anyhow::Result<()> {
    let own = if is_own(owner) {
        Ok(())
    } else {
        Err(anyhow::anyhow!("the shop of `{}` belongs to another user", path.display()))
    };
    own.hint("run the fault as the user who started the shop")
}

fn is_own(owner: u32) -> bool {
    /// Uid of `nobody`, which runs the shop when root starts it.
    const SHOP_UID: u32 = 65534;
    let user = geteuid();
    owner == user.as_raw() || (user.is_root() && owner == SHOP_UID)
}

/// Whether the path exists and belongs to another user.
fn belongs_to_other_user(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| !is_own(metadata.uid()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A folder that belongs to another user.
    fn others_folder(folder: &Path) -> &Path {
        if !geteuid().is_root() {
            return Path::new("/");
        }
        std::os::unix::fs::chown(folder, Some(1), None).unwrap();
        folder
    }

    #[test]
    fn the_shop_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!belongs_to_other_user(folder.path()) && !belongs_to_other_user(&folder.path().join("nothing")));
        assert!(Shop::find_in(folder.path()).unwrap().is_none());
        let other = others_folder(folder.path());
        assert!(belongs_to_other_user(other));
        assert!(Shop::find_in(other).unwrap_err().to_string().ends_with("belongs to another user"));
    }

    #[test]
    fn a_state_file_that_is_a_pipe_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Command::new("mkfifo").arg(folder.path().join(STATE_FILE)).status().unwrap().success());
        assert!(Shop::find_in(folder.path()).unwrap_err().to_string().contains("must be a regular file"));
    }

    #[test]
    fn only_children_of_the_supervisor_are_components() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let own_pid = std::process::id();
        let component = |name: &str, pid: u32| serde_json::json!({"name": name, "role": "web", "pid": pid});
        let mut shop: Shop = serde_json::from_value(serde_json::json!({
            "folder": "/shop", "pid": own_pid, "front": "", "audit_log": "", "ledger": "", "spool": "",
            "spool_mounted": false,
            "components": [component("supervisor", own_pid), component("child", child.id()), component("other", 1)],
            "database": {"endpoint": "", "name": "", "user": "", "table": ""},
            "cache": {"endpoint": ""},
        }))
        .unwrap();
        shop.retain_own_components();
        child.kill().unwrap();
        child.wait().unwrap();
        let names: Vec<&str> = shop.components.iter().map(|component| component.name.as_str()).collect();
        assert_eq!(names, ["supervisor", "child"]);
    }
}
