//! The running workload: its components, its files, and how to switch on its bugs.

use std::{
    net::SocketAddr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::process::geteuid;
use serde::Deserialize;
use service::Hint;

use super::{
    ground_truth::Suspect,
    process_identity::{self, ProcessIdentity},
    user::User,
};

mod control;
mod state_file;
mod validation;

pub use control::{ActiveBug, start_bug};
use state_file::{STATE_FILE, StateFile, belongs_to_other_user, read_state};

/// Environment variable that names the workload's folder.
pub const FOLDER_VARIABLE: &str = "DETECTIVE_WORKLOAD";

/// The content of a workload's state file, as far as faults use it.
#[derive(Clone, Debug, Deserialize)]
pub struct Workload {
    /// Folder of the workload, with all links resolved: the one in which the state file is.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The user that runs the workload, and owns its folder.
    #[serde(skip)]
    pub user: User,
    /// Pid of the supervisor.
    pub pid: u32,
    /// Running components.
    pub components: Vec<Component>,
    /// A log to which its users append under `flock`.
    pub log: SharedFile,
    /// A file to which its users write under POSIX locks.
    pub ledger: SharedFile,
    /// A folder to which its users write small files.
    pub spool: Spool,
    /// Roles of the components that use the disk of the workload's folder, and wait if it is slow.
    pub disk_users: Vec<String>,
    /// The workload's PostgreSQL, if it has one.
    #[serde(default)]
    pub postgres: Option<Postgres>,
}

/// A component of the workload.
#[derive(Clone, Debug, Deserialize)]
pub struct Component {
    /// Name, such as `web-2`.
    pub name: String,
    /// Role, such as `worker`.
    pub role: String,
    /// Process id.
    pub pid: u32,
    /// Address it listens on.
    #[serde(default)]
    pub endpoint: Option<SocketAddr>,
    /// Path of its control socket.
    #[serde(default)]
    pub control: Option<PathBuf>,
    /// Names of the bugs and benign changes that its control socket accepts.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Roles of the components that wait when it does not respond.
    #[serde(default)]
    pub clients: Vec<String>,
}

/// A file that several components use.
#[derive(Clone, Debug, Deserialize)]
pub struct SharedFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Roles of its users.
    pub users: Vec<String>,
}

/// The spool folder.
#[derive(Clone, Debug, Deserialize)]
pub struct Spool {
    /// Path of the folder.
    pub path: PathBuf,
    /// Roles of its users.
    pub users: Vec<String>,
    /// Whether it is a filesystem of its own.
    pub is_mounted: bool,
}

/// How clients connect to PostgreSQL.
#[derive(Clone, Debug, Deserialize)]
pub struct Postgres {
    /// Address.
    pub endpoint: SocketAddr,
    /// Name of the database.
    pub name: String,
    /// Role with the workload's permissions.
    pub user: String,
    /// Table in which the workload frequently updates rows.
    pub table: String,
}

impl Component {
    /// The process as a suspect.
    pub fn suspect(&self) -> Suspect {
        let endpoint = self.endpoint.map(|endpoint| endpoint.to_string());
        Suspect { endpoint, ..Suspect::process(self.pid) }
    }

    /// The process and the endpoint as suspects. Either is a correct answer.
    pub fn suspects(&self) -> Vec<Suspect> {
        [self.suspect()].into_iter().chain(self.endpoint.map(Suspect::endpoint)).collect()
    }
}

impl Workload {
    /// Finds the running workload in `DETECTIVE_WORKLOAD`, or else the shop in its default folder;
    /// `None` if there is none.
    ///
    /// # Errors
    /// If its state file cannot be read, or `DETECTIVE_WORKLOAD` names another user's workload.
    pub fn find() -> anyhow::Result<Option<Workload>> {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
            return Workload::find_in(Path::new(&folder));
        }
        let folder = PathBuf::from(format!("/tmp/detective-shop-{}", geteuid().as_raw()));
        // Any user can create this folder first. Then it does not contain this user's shop.
        if belongs_to_other_user(&folder) { Ok(None) } else { Workload::find_in(&folder) }
    }

    /// Finds the running workload in a folder; `None` if there is none.
    ///
    /// # Errors
    /// If its state file cannot be read, or belongs to another user.
    pub fn find_in(folder: &Path) -> anyhow::Result<Option<Workload>> {
        let Some(StateFile { text, folder, user }) = read_state(folder)? else { return Ok(None) };
        let invalid = || format!("`{}` is not a valid state file", folder.join(STATE_FILE).display());
        let mut workload: Workload = serde_json::from_str(&text).with_context(invalid)?;
        workload.folder.clone_from(&folder);
        workload.user = user;
        validation::check(&workload).with_context(invalid)?;
        workload.retain_own_components();
        // A workload that was killed leaves its state file behind.
        Ok(Some(workload).filter(Workload::is_supervised))
    }

    /// Whether the process with the supervisor's pid is a supervisor of this folder and user.
    fn is_supervised(&self) -> bool {
        let command_line = std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let mut words = command_line.split(|byte| *byte == 0);
        let folder = self.folder.as_os_str().as_bytes();
        let is_supervisor = words.any(|word| word.ends_with(b"/supervisor.py")) && words.any(|word| word == folder);
        is_supervisor && self.owns(self.pid)
    }

    /// Keeps the supervisor and its children: the file could name any process, or a pid that was
    /// reused since.
    fn retain_own_components(&mut self) {
        let supervisor = self.pid;
        let is_own = |pid: u32| pid == supervisor || process_identity::parent(pid) == Some(supervisor);
        let components = std::mem::take(&mut self.components).into_iter();
        self.components = components.filter(|component| is_own(component.pid) && self.owns(component.pid)).collect();
    }

    /// Whether a process runs as the user of the workload.
    fn owns(&self, pid: u32) -> bool {
        ProcessIdentity::read(pid).is_ok_and(|process| process.runs_as(self.user))
    }

    /// All components with a role.
    pub fn with_role(&self, role: &str) -> Vec<&Component> {
        self.components.iter().filter(|component| component.role == role).collect()
    }

    /// The components with these roles as suspects: their processes, child processes and endpoints.
    pub fn suspects<R: AsRef<str>>(&self, roles: &[R]) -> Vec<Suspect> {
        let suspects = |component: &Component| {
            let workers = process_identity::children(component.pid).into_iter().map(Suspect::process);
            component.suspects().into_iter().chain(workers).collect::<Vec<_>>()
        };
        roles.iter().flat_map(|role| self.with_role(role.as_ref())).flat_map(suspects).collect()
    }

    /// One component with a role. Of several it is the second, so that both its neighbours stay
    /// healthy.
    ///
    /// # Errors
    /// If there is none.
    pub fn pick(&self, role: &str) -> anyhow::Result<&Component> {
        second_or_first(&self.with_role(role))
            .with_context(|| format!("the workload has no component with the role `{role}`"))
            .hint("it may have exited: check the workload's logs, or restart the workload")
    }

    /// One component that accepts a bug or benign change such as `leak 25`: of several with the
    /// same role the second.
    ///
    /// # Errors
    /// If there is none.
    pub fn pick_for(&self, bug: &str) -> anyhow::Result<&Component> {
        let name = bug.split(' ').next().unwrap_or_default();
        self.find_for(name).with_context(|| format!("no component of the workload accepts `{name}`"))
    }

    /// Whether a component accepts a bug or benign change of this name.
    pub fn accepts(&self, name: &str) -> bool {
        self.find_for(name).is_some()
    }

    fn find_for(&self, name: &str) -> Option<&Component> {
        let accepts = |component: &&Component| component.commands.iter().any(|command| command == name);
        let role = &self.components.iter().find(accepts)?.role;
        second_or_first(&self.with_role(role))
    }
}

fn second_or_first<'a>(components: &[&'a Component]) -> Option<&'a Component> {
    components.get(1).or(components.first()).copied()
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
    fn the_workload_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!belongs_to_other_user(folder.path()) && !belongs_to_other_user(&folder.path().join("nothing")));
        assert!(Workload::find_in(folder.path()).unwrap().is_none());
        let other = others_folder(folder.path());
        assert!(belongs_to_other_user(other));
        assert!(Workload::find_in(other).unwrap_err().to_string().ends_with("belongs to another user"));
    }

    #[test]
    fn a_state_file_that_is_a_pipe_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Command::new("mkfifo").arg(folder.path().join(STATE_FILE)).status().unwrap().success());
        assert!(Workload::find_in(folder.path()).unwrap_err().to_string().contains("must be a regular file"));
    }

    fn workload(pid: u32, components: serde_json::Value) -> Workload {
        serde_json::from_value(serde_json::json!({
            "pid": pid, "components": components, "disk_users": [],
            "log": {"path": "", "users": []}, "ledger": {"path": "", "users": []},
            "spool": {"path": "", "users": [], "is_mounted": false},
        }))
        .unwrap()
    }

    #[test]
    fn only_children_of_the_supervisor_are_components() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let own_pid = std::process::id();
        let component = |name: &str, pid: u32| serde_json::json!({"name": name, "role": "worker", "pid": pid});
        let components = [component("supervisor", own_pid), component("child", child.id()), component("other", 1)];
        let mut workload = workload(own_pid, components.into());
        workload.retain_own_components();
        child.kill().unwrap();
        child.wait().unwrap();
        let names: Vec<&str> = workload.components.iter().map(|component| component.name.as_str()).collect();
        assert_eq!(names, ["supervisor", "child"]);
    }

    #[test]
    fn a_bug_is_started_in_a_component_of_the_first_role_that_accepts_it() {
        let component = |name: &str, role: &str, commands: &[&str]| serde_json::json!({"name": name, "role": role, "pid": 1, "commands": commands});
        let components = serde_json::json!([
            component("database", "database", &[]),
            component("web-1", "worker", &["stuck"]),
            component("web-2", "worker", &["stuck"]),
            component("queue", "queue", &["stuck", "ledger"]),
        ]);
        let workload = workload(1, components);
        assert_eq!(workload.pick_for("stuck 5").unwrap().name, "web-2");
        assert_eq!(workload.pick_for("ledger").unwrap().name, "queue");
        assert_eq!(workload.pick("database").unwrap().name, "database");
        assert!(!workload.accepts("leak"));
    }
}
