//! What a process is, whatever it does.

use super::Opened;
use crate::{
    arguments::Said,
    aside::Aside,
    cgroups::Membership,
    columns::Reason,
    container::{self, Container},
    parse,
    read::Seen,
    role,
};

/// Of a command line no more than this is looked at.
pub const LONGEST_ARGUMENTS: usize = 16 << 10;

/// What changes little and late, and is therefore read once or a few times.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The name that the process gave itself.
    pub comm: String,
    /// Path of the executable.
    pub executable: Option<String>,
    /// Its control groups.
    pub groups: Membership,
    /// The container that it is in.
    pub container: Option<Container>,
    /// What outlives restarts.
    pub role: String,
    /// The network namespace's number.
    pub network: Option<u64>,
    /// Whether an argument says `fault`: what `detective fault` starts is trouble like any other.
    pub makes_faults: bool,
    /// The command line without its secrets, where it is to be shown.
    pub command: Option<String>,
    /// Whether the arguments did not come in time, so that what is made from them is missing.
    pub late: bool,
    /// What of this could not be read, as signals, and why.
    pub unseen: Vec<(&'static str, Reason)>,
}

impl Opened {
    /// Reads its control groups, which a process is often moved into shortly after it began.
    pub fn groups(&self, buffer: &mut Vec<u8>) -> Membership {
        Membership::parse(self.directory.read_of_one("cgroup", buffer).here().unwrap_or_default())
    }

    /// Whether they are these still.
    pub fn is_still_in(&self, groups: &Membership, buffer: &mut Vec<u8>) -> bool {
        groups.is_told_by(self.directory.read_of_one("cgroup", buffer).here().unwrap_or_default())
    }

    /// Reads what changes little. The command line is kept if it is to be shown.
    pub fn about(
        &self,
        aside: &mut Aside,
        containers: &container::Known,
        shows_arguments: bool,
        buffer: &mut Vec<u8>,
    ) -> About {
        let mut unseen = Vec::new();
        let executable = noted("executable", self.directory.link("exe", buffer), &mut unseen).map(parse::text);
        let executable = executable.map(|path| path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned());
        let groups = self.groups(buffer);
        let container = containers.container(&groups, self.identity, &self.directory, aside, buffer);
        let network = noted("network-namespace", self.directory.link("ns/net", buffer), &mut unseen);
        let network = network.and_then(|link| parse::process::numbered(link, b"net"));
        let said = |arguments: &[&[u8]]| Said::of(executable.as_deref(), &self.comm, arguments, shows_arguments);
        // The script's name comes early; what follows may be megabytes.
        let keep = |text: &[u8]| said(&parse::process::arguments(text)).to_bytes();
        let read = aside.read_part(&self.directory, (self.identity, "cmdline"), LONGEST_ARGUMENTS, buffer, keep);
        let unnamed = container.as_ref().is_some_and(|container| matches!(container.label, Seen::Late));
        let late = unnamed || matches!(read, Seen::Late);
        let Said { name, makes_faults, command } = read.here().and_then(Said::of_bytes).unwrap_or_else(|| said(&[]));
        let role = role::of_process(container.as_ref().map(Container::role), executable.as_deref(), &name);
        let comm = self.comm.clone();
        About { comm, executable, groups, container, role, network, makes_faults, command, late, unseen }
    }
}

/// The answer, if it is one. What is gone is no gap: a zombie has no executable any more.
fn noted<'b>(signal: &'static str, seen: Seen<&'b [u8]>, unseen: &mut Vec<(&'static str, Reason)>) -> Option<&'b [u8]> {
    match seen.measured() {
        Ok(bytes) => return Some(bytes),
        Err(Reason::Gone) => {}
        Err(reason) => unseen.push((signal, reason)),
    }
    None
}
