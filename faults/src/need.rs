//! What a fault takes, and whether it is here.

use std::{
    ffi::OsString,
    fmt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use service::Hint;

use super::{group::Controller, shop::Shop};

/// Something that a fault cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The shop of `deploy/demo` runs.
    Shop,
    /// The shop's spool is a filesystem of its own.
    Spool,
    /// To be root.
    Root,
    /// A controller of control groups, of version 1 or 2.
    Controller(&'static str),
    /// A program.
    Tool(&'static str),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Shop => write!(f, "the shop"),
            Need::Spool => write!(f, "a spool of its own"),
            Need::Root => write!(f, "root"),
            Need::Controller(name) => write!(f, "cgroup controller {name}"),
            Need::Tool(name) => write!(f, "{name}"),
        }
    }
}

impl Need {
    /// Whether it is here.
    pub fn is_here(self, shop: Option<&Shop>) -> bool {
        match self {
            Need::Shop => shop.is_some(),
            Need::Spool => shop.is_some_and(|shop| shop.spool_mounted && is_apart(&shop.spool, &shop.folder)),
            Need::Root => geteuid().is_root(),
            Need::Controller(name) => Controller::find(name).is_some(),
            Need::Tool(name) => is_in_path(name),
        }
    }

    /// What to do about it.
    fn remedy(self) -> String {
        match self {
            Need::Shop => {
                "start it: `deploy/demo/shop start`; DETECTIVE_SHOP names its folder if it is another".to_owned()
            }
            Need::Spool => "start the shop as root, who may mount one".to_owned(),
            Need::Root => "run it as root".to_owned(),
            Need::Controller(name) => format!(
                "boot with the controller `{name}`; in version 2, `echo +{name} >/sys/fs/cgroup/cgroup.subtree_control`"
            ),
            Need::Tool("psql") => "install the package postgresql-client".to_owned(),
            Need::Tool(name) => format!("install `{name}`"),
        }
    }

    /// Sees to it that it is here.
    ///
    /// # Errors
    /// With what to do about it.
    pub fn check(self, shop: Option<&Shop>) -> anyhow::Result<()> {
        let here = if self.is_here(shop) { Ok(()) } else { Err(anyhow::anyhow!("the fault needs {self}, found none")) };
        here.hint(self.remedy())
    }
}

/// Whether these are on two filesystems.
fn is_apart(path: &Path, other: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|about| about.dev()).ok();
    device(path).is_some_and(|found| device(other).is_some_and(|other| other != found))
}

fn is_in_path(tool: &str) -> bool {
    std::env::split_paths(&search_path()).any(|folder| folder.join(tool).is_file())
}

/// Where programs are looked for: `PATH`, and where Debian keeps what only root needs.
pub fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    std::env::join_paths(folders).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_of_root_are_found_too() {
        let folders: Vec<PathBuf> = std::env::split_paths(&search_path()).collect();
        assert!(folders.ends_with(&["/usr/sbin".into(), "/sbin".into()]), "{folders:?}");
        assert!(is_in_path("sh") && !is_in_path("no-such-tool"));
    }

    #[test]
    fn a_controller_is_given_by_the_version_that_there_is() {
        let remedy = Need::Controller("cpu").remedy();
        assert!(remedy.ends_with("`echo +cpu >/sys/fs/cgroup/cgroup.subtree_control`"), "{remedy}");
    }
}
