//! What a fault requires of its host.

use std::{fmt, os::unix::fs::MetadataExt, path::Path};

use rustix::process::geteuid;
use service::Hint;

use super::{cgroup::Controller, search_path::search_path, workload::Workload};

/// Something that a fault cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// A workload is running that has a component with this role.
    Role(&'static str),
    /// A workload is running that accepts a bug or benign change of this name.
    Bug(&'static str),
    /// A workload is running that has a PostgreSQL.
    Postgres,
    /// A workload is running whose spool is a filesystem of its own.
    Spool,
    /// The user is root.
    Root,
    /// A controller of control groups, version 1 or 2.
    Controller(&'static str),
    /// A program in the search path.
    Tool(&'static str),
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Requirement::Role(role) => write!(f, "a workload with a {role}"),
            Requirement::Bug(name) => write!(f, "a workload with `{name}`"),
            Requirement::Postgres => write!(f, "a workload with PostgreSQL"),
            Requirement::Spool => write!(f, "a workload with a separate spool filesystem"),
            Requirement::Root => write!(f, "root"),
            Requirement::Controller(name) => write!(f, "cgroup controller {name}"),
            Requirement::Tool(name) => write!(f, "{name}"),
        }
    }
}

impl Requirement {
    /// Whether the host meets it.
    pub fn is_met(self, workload: Option<&Workload>) -> bool {
        match self {
            Requirement::Role(role) => workload.is_some_and(|workload| !workload.with_role(role).is_empty()),
            Requirement::Bug(name) => workload.is_some_and(|workload| workload.accepts(name)),
            Requirement::Postgres => workload.is_some_and(|workload| workload.postgres.is_some()),
            Requirement::Spool => workload.is_some_and(|workload| {
                let spool = &workload.spool;
                spool.is_mounted && are_on_different_filesystems(&spool.path, &workload.folder)
            }),
            Requirement::Root => geteuid().is_root(),
            Requirement::Controller(name) => Controller::find(name).is_some(),
            Requirement::Tool(name) => is_in_path(name),
        }
    }

    /// How to meet it.
    fn remedy(self) -> String {
        match self {
            Requirement::Role(_) | Requirement::Bug(_) | Requirement::Postgres => {
                "start the shop: `deploy/demo/shop start`; for another workload, set DETECTIVE_WORKLOAD to its folder"
                    .to_owned()
            }
            Requirement::Spool => "start the workload as root, so that it can mount one".to_owned(),
            Requirement::Root => "run it as root".to_owned(),
            Requirement::Controller(name) => format!(
                "boot with the controller `{name}`; in version 2, `echo +{name} >/sys/fs/cgroup/cgroup.subtree_control`"
            ),
            Requirement::Tool("psql") => "install the package postgresql-client".to_owned(),
            Requirement::Tool(name) => format!("install `{name}`"),
        }
    }

    /// Checks that the host meets it.
    ///
    /// # Errors
    /// If it does not, with a hint how to meet it.
    pub fn check(self, workload: Option<&Workload>) -> anyhow::Result<()> {
        let met =
            if self.is_met(workload) { Ok(()) } else { Err(anyhow::anyhow!("the fault requires {self}, found none")) };
        met.hint(self.remedy())
    }
}

fn are_on_different_filesystems(path: &Path, other: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    device(path).is_some_and(|found| device(other).is_some_and(|other| other != found))
}

fn is_in_path(tool: &str) -> bool {
    std::env::split_paths(&search_path()).any(|folder| folder.join(tool).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_for_root_are_found() {
        let folders: Vec<std::path::PathBuf> = std::env::split_paths(&search_path()).collect();
        assert!(folders.ends_with(&["/usr/sbin".into(), "/sbin".into()]), "{folders:?}");
        assert!(is_in_path("sh") && !is_in_path("no-such-tool"));
    }

    #[test]
    fn the_remedy_for_a_missing_controller_is_a_command() {
        let remedy = Requirement::Controller("cpu").remedy();
        assert!(remedy.ends_with("`echo +cpu >/sys/fs/cgroup/cgroup.subtree_control`"), "{remedy}");
    }
}
